//! What clients did, as a history that can be judged now and later.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use client::application::Record;
use client::team::Done;
use history::model::Minimum;
use history::{Connection, Fault, Header, History, Operation, OperationKind, Outcome, Promise, Stage};

use crate::events::{CaseName, Events, What};

/// Who asked, whom, over what, and in which part of the case.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The client.
    pub client: String,
    /// The replica.
    pub replica: String,
    /// Over what.
    pub connection: Connection,
    /// Which part of the case.
    pub stage: Stage,
}

/// A record together with the operation that wrote it.
#[derive(Debug, Clone)]
pub struct Kept {
    record: Record,
    written: Operation,
    /// Whether it is there for certain; else it may be what its key holds.
    is_known: bool,
}

/// How an operation began and ended.
pub struct Ended {
    /// When it was sent.
    pub start_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end ok.
    pub error: Option<String>,
}

/// Records the operations and faults of one case, from many clients.
pub struct Recorder {
    case: CaseName,
    events: Events,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    operations: Vec<Operation>,
    faults: Vec<Fault>,
    known: Vec<Record>,
    unknown: Vec<Record>,
}

impl Inner {
    /// What a key may hold: of a register, every value that was not overwritten for certain.
    fn held(&self, key: &str) -> Vec<Kept> {
        let may_count = |o: &&Operation| o.kind == OperationKind::Write && o.outcome != Outcome::Failed && o.key == key;
        let writes: Vec<_> = self.operations.iter().filter(may_count).collect();
        let overwritten = |old: &Operation| {
            let after = |new: &&&Operation| new.outcome == Outcome::Ok && new.start_ns > old.end_ns;
            old.outcome == Outcome::Ok && writes.iter().any(|new| after(&new))
        };
        let kept = writes.iter().filter(|write| !overwritten(write)).map(|write| {
            let value = write.value.clone().unwrap_or_default();
            let known = self.known.iter().find(|record| record.key == key && record.value == value).cloned();
            let is_known = known.is_some();
            Kept { record: known.unwrap_or_else(|| Record::new(key, value)), written: (*write).clone(), is_known }
        });
        kept.collect()
    }
}

impl Recorder {
    /// An empty record of a case.
    pub fn new(case: CaseName, events: Events) -> Self {
        Self { case, events, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run's clock.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.events.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Adds an operation that ended now; `value` is what was written or read.
    pub fn ended(&self, asked: &Asked, kind: OperationKind, key: &str, value: Option<String>, ended: Ended) {
        self.add(Operation {
            client: asked.client.clone(),
            replica: Some(asked.replica.clone()),
            connection: asked.connection,
            stage: asked.stage,
            kind,
            key: key.to_owned(),
            value,
            start_ns: ended.start_ns,
            end_ns: self.now_ns(),
            outcome: ended.outcome,
            error: ended.error,
            refused: false,
        });
    }

    /// When the run's clock stood at zero.
    pub fn began(&self) -> Instant {
        self.events.began()
    }

    /// Adds what a client tells: the operation, and the record that is or may be there now.
    pub fn done(&self, done: Done) {
        let outcome = done.operation.outcome;
        self.add(done.operation);
        match (done.record, outcome) {
            (Some(record), Outcome::Ok) => self.know(record),
            (Some(record), Outcome::Unknown) => self.wonder(record),
            _ => {}
        }
    }

    /// Adds an operation that ended.
    fn add(&self, operation: Operation) {
        self.events.send(What::Operation {
            case: self.case.clone(),
            client: operation.client.clone(),
            operation: operation.kind,
            outcome: operation.outcome,
            took_ms: (operation.end_ns - operation.start_ns) / 1_000_000,
        });
        self.inner().operations.push(operation);
    }

    /// Adds a record that is there for certain.
    pub fn know(&self, record: Record) {
        self.inner().known.push(record);
    }

    /// Adds a record that may be there.
    pub fn wonder(&self, record: Record) {
        self.inner().unknown.push(record);
    }

    /// Takes over records of earlier cases: they have to be there in the end, too.
    pub fn take_over(&self, kept: &[Kept]) {
        let mut inner = self.inner();
        for Kept { record, written, is_known } in kept {
            inner.known.extend(is_known.then(|| record.clone()));
            inner.operations.push(Operation { stage: Stage::Earlier, ..written.clone() });
        }
    }

    /// Some of the keys that hold an acknowledged record, evenly spread, with all that they may hold, for later cases to
    /// look for.
    pub fn sample(&self, most: usize) -> Vec<Kept> {
        let inner = self.inner();
        let mut seen = BTreeSet::new();
        let keys: Vec<_> = inner.known.iter().map(|record| &record.key).filter(|key| seen.insert(*key)).collect();
        let step = keys.len().div_ceil(most.max(1)).max(1);
        keys.into_iter().step_by(step).flat_map(|key| inner.held(key)).collect()
    }

    /// The records that are there for certain.
    pub fn known(&self) -> Vec<Record> {
        self.inner().known.clone()
    }

    /// Takes the records that nobody knows about.
    pub fn take_unknown(&self) -> Vec<Record> {
        std::mem::take(&mut self.inner().unknown)
    }

    /// How many writes were acknowledged since `from_ns`, over one kind of connection or any.
    pub fn acknowledged_since(&self, from_ns: u64, over: Option<Connection>) -> usize {
        let counts = |o: &&Operation| {
            let acknowledged = o.kind == OperationKind::Write && o.outcome == Outcome::Ok;
            acknowledged
                && o.stage == Stage::Workload
                && o.end_ns >= from_ns
                && over.is_none_or(|over| o.connection == over)
        };
        self.inner().operations.iter().filter(counts).count()
    }

    /// Why the last operations did not end ok, for a wait that can't go on.
    pub fn last_error(&self, over: Option<Connection>) -> Option<String> {
        let inner = self.inner();
        let mut asked = inner.operations.iter().rev().filter(|o| over.is_none_or(|over| o.connection == over));
        asked.find_map(|operation| operation.error.clone())
    }

    /// The operations of clients that went through the Service in all, and those that did not end well. Those that are
    /// connected to a pod lose it with the pod, as they must.
    pub fn unanswered_through_service(&self) -> (usize, Vec<Operation>) {
        let inner = self.inner();
        let through = |o: &&Operation| matches!(o.connection, Connection::Service | Connection::ServiceReused);
        let own = inner.operations.iter().filter(|o| o.stage == Stage::Workload).filter(through);
        (own.clone().count(), own.filter(|operation| operation.outcome != Outcome::Ok).cloned().collect())
    }

    /// Notes that a fault begins.
    pub fn fault(&self, what: impl Into<String>) -> usize {
        let what = what.into();
        self.events.send(What::Fault { case: self.case.clone(), what: what.clone() });
        let start_ns = self.now_ns();
        let mut inner = self.inner();
        inner.faults.push(Fault { what, start_ns, recovered_ns: None, new_leader_ns: None, evidence: None });
        inner.faults.len() - 1
    }

    /// When a fault began.
    pub fn began_ns(&self, fault: usize) -> u64 {
        self.inner().faults.get(fault).map_or(0, |fault| fault.start_ns)
    }

    /// Notes what shows that a fault happened.
    pub fn evidence(&self, fault: usize, evidence: String) {
        if let Some(fault) = self.inner().faults.get_mut(fault) {
            fault.evidence = Some(evidence);
        }
    }

    /// Notes that another leader was seen.
    pub fn new_leader(&self, fault: usize) {
        let now = self.now_ns();
        if let Some(fault) = self.inner().faults.get_mut(fault) {
            fault.new_leader_ns.get_or_insert(now);
        }
    }

    /// Notes that everything is ready again.
    pub fn recovered(&self, fault: usize) {
        let now = self.now_ns();
        if let Some(fault) = self.inner().faults.get_mut(fault) {
            fault.recovered_ns.get_or_insert(now);
        }
    }

    /// The history so far.
    pub fn history(&self, promise: Promise, replicas: Vec<String>, minimum: Minimum) -> History {
        let format = history::file::FORMAT.to_owned();
        let inner = self.inner();
        History {
            header: Header { format, case: self.case.clone(), promise, replicas, minimum },
            operations: inner.operations.clone(),
            faults: inner.faults.clone(),
        }
    }
}

/// Saves a history below the run's folder; answers the file.
///
/// # Errors
/// Where it can't be written.
pub fn save(history: &History, run_folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = run_folder.join("histories");
    let path = folder.join(format!("{}.jsonl", history.header.case.replace("::", ".")));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let file = std::fs::File::create(&path).with_context(|| format!("writing {}", path.display()))?;
    history::file::write(history, std::io::BufWriter::new(file))
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(case: &str) -> Recorder {
        let (events, _stream) = Events::channel();
        Recorder::new(case.to_owned(), events)
    }

    /// A write of `register-0`, from one instant to another.
    fn write(value: &str, start_ns: u64, end_ns: u64, outcome: Outcome) -> Done {
        let (key, client) = ("register-0".to_owned(), "c".to_owned());
        let operation = Operation {
            client,
            replica: None,
            connection: Connection::New,
            stage: Stage::Workload,
            kind: OperationKind::Write,
            key: key.clone(),
            value: Some(value.to_owned()),
            start_ns,
            end_ns,
            outcome,
            error: None,
            refused: false,
        };
        let record = (outcome != Outcome::Failed).then(|| Record::new(key, value));
        Done { operation, record }
    }

    /// The verdict on what a later case reads of a register.
    fn judged(kept: &[Kept], read: &str) -> bool {
        let later = recorder("s::t::scale_up");
        later.take_over(kept);
        let asked = Asked {
            client: "reader".to_owned(),
            replica: "db-0".to_owned(),
            connection: Connection::Reused,
            stage: Stage::ReadBack,
        };
        let ended = Ended { start_ns: 1000, outcome: Outcome::Ok, error: None };
        later.ended(&asked, OperationKind::Read, "register-0", Some(read.to_owned()), ended);
        let minimum = Minimum { before: 0, during: 0, after: 0 };
        history::judge_records(&later.history(Promise::Register, vec!["db-0".to_owned()], minimum)).holds()
    }

    #[test]
    fn a_register_is_handed_on_with_all_that_it_may_hold() {
        let earlier = recorder("s::t::pod_kill");
        for done in [
            write("old", 10, 20, Outcome::Ok),
            write("one", 30, 50, Outcome::Ok),
            write("other", 40, 60, Outcome::Ok),
            write("lost", 32, 45, Outcome::Unknown),
            write("refused", 70, 80, Outcome::Failed),
        ] {
            earlier.done(done);
        }
        let kept = earlier.sample(1);
        assert!(judged(&kept, "other") && judged(&kept, "one"), "two writes at once: either may be there");
        assert!(judged(&kept, "lost"), "it may have had an effect");
        assert!(!judged(&kept, "old"), "it was overwritten");
        assert!(!judged(&kept, "refused"), "it had no effect");
    }

    #[test]
    fn a_client_of_a_pod_that_is_replaced_is_not_counted_against_the_service() {
        let recorder = recorder("s::t::zero_downtime");
        let add = |connection, outcome| {
            let asked =
                Asked { client: "c".to_owned(), replica: "db-0".to_owned(), connection, stage: Stage::Workload };
            recorder.ended(&asked, OperationKind::Write, "k", None, Ended { start_ns: 0, outcome, error: None });
        };
        add(Connection::Service, Outcome::Ok);
        add(Connection::New, Outcome::Failed);
        add(Connection::Reused, Outcome::Unknown);
        assert_eq!(recorder.unanswered_through_service(), (1, vec![]));
        add(Connection::ServiceReused, Outcome::Unknown);
        let (all, failed) = recorder.unanswered_through_service();
        assert_eq!((all, failed.len()), (2, 1));
    }
}
