//! What clients did, as a history that can be judged now and later.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use client::application::Record;
use client::team::CompletedOperation;
use history::model::Minimum;
use history::{Connection, Fault, Header, History, Operation, OperationKind, Outcome, Promise, Stage};

use crate::deployed_topology::Kept;
use events::{CaseName, Events, What};

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
    /// How many answers came from what is not the application, by its address.
    strangers: BTreeMap<String, usize>,
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

    /// When the run's clock stood at zero.
    pub fn began(&self) -> Instant {
        self.events.began()
    }

    /// Adds what a client did: the operation, and the record that is or may be there now.
    pub fn done(&self, done: CompletedOperation) {
        let outcome = done.operation.outcome;
        if let Some(address) = done.stranger {
            *self.inner().strangers.entry(address).or_default() += 1;
        }
        self.add(done.operation);
        match (done.record, outcome) {
            (Some(record), Outcome::Ok) => self.know(record),
            (Some(record), Outcome::Unknown) => self.record_unknown(record),
            _ => {}
        }
    }

    /// Adds an operation that ended.
    pub fn add(&self, operation: Operation) {
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
    pub fn record_unknown(&self, record: Record) {
        self.inner().unknown.push(record);
    }

    /// Takes over records of earlier cases: they have to be there in the end, too.
    pub fn take_over(&self, kept: &[Kept]) {
        let mut inner = self.inner();
        for Kept { record, writes } in kept {
            inner.known.push(record.clone());
            let earlier = writes.iter().map(|write| Operation { stage: Stage::Earlier, ..write.clone() });
            inner.operations.extend(earlier);
        }
    }

    /// Some of the keys that hold an acknowledged record, evenly spread, with all that they may hold, for later cases to
    /// look for.
    pub fn sample(&self, most: usize) -> Vec<Kept> {
        let inner = self.inner();
        let mut keys = BTreeSet::new();
        let once: Vec<_> = inner.known.iter().filter(|record| keys.insert(record.key.as_str())).collect();
        let step = once.len().div_ceil(most.max(1)).max(1);
        let kept = once.into_iter().step_by(step);
        kept.map(|record| Kept { record: record.clone(), writes: standing(&inner.operations, &record.key) }).collect()
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

    /// What clients were connected to that is not the application, and how often, in words; nothing where they were not.
    pub fn strangers(&self) -> Option<String> {
        let inner = self.inner();
        let each = inner.strangers.iter().map(|(address, count)| format!("{count} from {address}"));
        let each = each.collect::<Vec<_>>().join(", ");
        let told = format!("answers that the application can't have given, after which clients connected anew: {each}");
        Some(told).filter(|_| !inner.strangers.is_empty())
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

    /// The history so far, without secrets: what is judged is what is kept.
    pub fn history(&self, promise: Promise, replicas: Vec<String>, minimum: Minimum) -> History {
        let format = history::file::FORMAT.to_owned();
        let inner = self.inner();
        let writes = inner.operations.iter().filter(|o| o.kind == OperationKind::Write);
        let written: HashSet<_> = writes.filter_map(|o| o.value.as_deref()).collect();
        History {
            header: Header { format, case: self.case.clone(), promise, replicas, minimum },
            operations: inner.operations.iter().map(|operation| without_secrets(operation, &written)).collect(),
            faults: inner.faults.iter().map(fault_without_secrets).collect(),
        }
    }
}

/// An operation as it is kept. Keys and written values are the harness's own; the application says the rest.
fn without_secrets(operation: &Operation, written: &HashSet<&str>) -> Operation {
    let mut kept = operation.clone();
    kept.error = kept.error.map(|error| redact::text(&error));
    kept.value = kept.value.map(|value| if written.contains(value.as_str()) { value } else { redact::text(&value) });
    kept
}

fn fault_without_secrets(fault: &Fault) -> Fault {
    let evidence = fault.evidence.as_deref().map(redact::text);
    Fault { what: redact::text(&fault.what), evidence, ..fault.clone() }
}

/// The writes of a key that nothing overwrote for certain. One of unknown outcome may take effect at any time.
fn standing(operations: &[Operation], key: &str) -> Vec<Operation> {
    let writes = operations.iter().filter(|o| o.key == key && o.kind == OperationKind::Write);
    let is_acknowledged = |o: &&Operation| o.outcome == Outcome::Ok;
    let last_start_ns = writes.clone().filter(is_acknowledged).map(|o| o.start_ns).max().unwrap_or_default();
    let stands = |o: &&Operation| match o.outcome {
        Outcome::Ok => o.end_ns >= last_start_ns,
        Outcome::Unknown => true,
        Outcome::Failed => false,
    };
    writes.filter(stands).cloned().collect()
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
    let mut file = std::io::BufWriter::new(file);
    let written = history::file::write(history, &mut file).and_then(|()| Ok(file.flush()?));
    written.with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
