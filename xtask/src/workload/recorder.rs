//! Records what clients did, as a history that can be checked now and later.

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
    /// The number of responses that did not come from the application, by address.
    strangers: BTreeMap<String, usize>,
}

impl Recorder {
    /// Returns an empty recorder for a case.
    pub fn new(case: CaseName, events: Events) -> Self {
        Self { case, events, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time on the run's clock.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.events.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Returns when the run's clock was zero.
    pub fn began(&self) -> Instant {
        self.events.began()
    }

    /// Adds a client's operation, and the record that it created or may have created.
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

    /// Adds an operation that has ended.
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

    /// Adds a record that certainly exists.
    pub fn know(&self, record: Record) {
        self.inner().known.push(record);
    }

    /// Adds a record that may exist.
    pub fn record_unknown(&self, record: Record) {
        self.inner().unknown.push(record);
    }

    /// Takes over records of earlier cases, which must also exist in the end.
    pub fn take_over(&self, kept: &[Kept]) {
        let mut inner = self.inner();
        for Kept { record, writes } in kept {
            inner.known.push(record.clone());
            let earlier = writes.iter().map(|write| Operation { stage: Stage::Earlier, ..write.clone() });
            inner.operations.extend(earlier);
        }
    }

    /// Returns an evenly spread sample of acknowledged records, each with all writes that may have set its value, for
    /// later cases to check.
    pub fn sample(&self, most: usize) -> Vec<Kept> {
        let inner = self.inner();
        let mut keys = BTreeSet::new();
        let once: Vec<_> = inner.known.iter().filter(|record| keys.insert(record.key.as_str())).collect();
        let step = once.len().div_ceil(most.max(1)).max(1);
        let kept = once.into_iter().step_by(step);
        kept.map(|record| Kept { record: record.clone(), writes: standing(&inner.operations, &record.key) }).collect()
    }

    /// Returns the records that certainly exist.
    pub fn known(&self) -> Vec<Record> {
        self.inner().known.clone()
    }

    /// Takes the records that may exist.
    pub fn take_unknown(&self) -> Vec<Record> {
        std::mem::take(&mut self.inner().unknown)
    }

    /// Returns the number of writes that were acknowledged, or of healthy responses, since `from_ns`, over one kind of connection or any.
    pub fn acknowledged_since(&self, from_ns: u64, over: Option<Connection>) -> usize {
        self.acknowledged(from_ns, |o| over.is_none_or(|over| o.connection == over))
    }

    /// The same, but only through other replicas than these, or the Service.
    pub fn acknowledged_without(&self, apart: &BTreeSet<String>, from_ns: u64) -> usize {
        self.acknowledged(from_ns, |o| o.replica.as_ref().is_none_or(|replica| !apart.contains(replica)))
    }

    fn acknowledged(&self, from_ns: u64, wanted: impl Fn(&Operation) -> bool) -> usize {
        let counts = |o: &&Operation| o.shows_that_it_works() && o.stage == Stage::Workload && o.end_ns >= from_ns;
        self.inner().operations.iter().filter(counts).filter(|o| wanted(o)).count()
    }

    /// Counts the operations through these replicas that began after `from_ns` and have ended: those that were answered,
    /// and all.
    pub fn answered_through(&self, replicas: &BTreeSet<String>, from_ns: u64) -> (usize, usize) {
        let inner = self.inner();
        let counts = |o: &&Operation| {
            let through = o.replica.as_ref().is_some_and(|replica| replicas.contains(replica));
            through && o.stage == Stage::Workload && o.connection != Connection::Readiness && o.start_ns >= from_ns
        };
        let through: Vec<_> = inner.operations.iter().filter(counts).collect();
        (through.iter().filter(|o| o.outcome == Outcome::Ok).count(), through.len())
    }

    /// Returns the error of the last operation that had one, for the message of a wait.
    pub fn last_error(&self, over: Option<Connection>) -> Option<String> {
        let inner = self.inner();
        let mut latest_first = inner.operations.iter().rev().filter(|o| over.is_none_or(|over| o.connection == over));
        latest_first.find_map(|operation| operation.error.clone())
    }

    /// Describes responses that did not come from the application, with their addresses, or returns `None` if there
    /// were none.
    pub fn strangers(&self) -> Option<String> {
        let inner = self.inner();
        let each = inner.strangers.iter().map(|(address, count)| format!("{count} from {address}"));
        let each = each.collect::<Vec<_>>().join(", ");
        let text = format!("responses that can't come from the application, so clients reconnected: {each}");
        Some(text).filter(|_| !inner.strangers.is_empty())
    }

    /// Returns the number of operations through the Service, and those that failed. Connections to a pod don't count,
    /// since they end with the pod.
    pub fn failed_through_service(&self) -> (usize, Vec<Operation>) {
        let inner = self.inner();
        let through = |o: &&Operation| matches!(o.connection, Connection::Service | Connection::ServiceReused);
        let own = inner.operations.iter().filter(|o| o.stage == Stage::Workload).filter(through);
        (own.clone().count(), own.filter(|operation| operation.outcome != Outcome::Ok).cloned().collect())
    }

    /// Records a fault of an instant; returns its number.
    pub fn fault(&self, what: impl Into<String>) -> usize {
        self.lasting_fault(&what.into(), BTreeSet::new(), self.now_ns())
    }

    /// Records that a fault began that stops or cuts off these replicas until it is healed; returns its number.
    pub fn lasting_fault(&self, what: &str, apart: BTreeSet<String>, start_ns: u64) -> usize {
        self.events.send(What::Fault { case: self.case.clone(), what: what.to_owned(), apart: apart.clone() });
        let fault = Fault { apart, ..Fault::new(what, start_ns) };
        let mut inner = self.inner();
        inner.faults.push(fault);
        inner.faults.len() - 1
    }

    /// Records that a fault that lasts was undone.
    pub fn healed(&self, fault: usize) {
        let now = self.now_ns();
        let mut inner = self.inner();
        let Some(fault) = inner.faults.get_mut(fault).filter(|fault| fault.healed_ns.is_none()) else { return };
        fault.healed_ns = Some(now);
        self.events.send(What::FaultHealed { case: self.case.clone(), what: fault.what.clone() });
    }

    /// Returns the number of faults so far.
    pub fn fault_count(&self) -> usize {
        self.inner().faults.len()
    }

    /// Returns when a fault began.
    pub fn began_ns(&self, fault: usize) -> u64 {
        self.inner().faults.get(fault).map_or(0, |fault| fault.start_ns)
    }

    /// Records what shows that a fault happened.
    pub fn evidence(&self, fault: usize, evidence: String) {
        if let Some(fault) = self.inner().faults.get_mut(fault) {
            fault.evidence = Some(evidence);
        }
    }

    /// Records that there is a new leader.
    pub fn new_leader(&self, fault: usize) {
        let now = self.now_ns();
        if let Some(fault) = self.inner().faults.get_mut(fault) {
            fault.new_leader_ns.get_or_insert(now);
        }
    }

    /// Records that everything is ready again.
    pub fn recovered(&self, fault: usize) {
        let now = self.now_ns();
        if let Some(fault) = self.inner().faults.get_mut(fault) {
            fault.recovered_ns.get_or_insert(now);
        }
    }

    /// Returns the history so far without secrets, so that the saved history is the one that is checked.
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

/// Hides secrets in an operation. Keys and written values need no hiding, since the harness generates them.
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

/// Returns the writes of a key that were not certainly overwritten. A write of unknown outcome may take effect at any
/// time.
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

/// Returns the file of a case's history in the run's folder.
pub fn file(case: &str, run_folder: &Path) -> PathBuf {
    run_folder.join("histories").join(format!("{}.jsonl", case.replace("::", ".")))
}

/// Saves a history in the run's folder; returns the file.
///
/// # Errors
/// If it can't be written.
pub fn save(history: &History, run_folder: &Path) -> anyhow::Result<PathBuf> {
    let (folder, path) = (run_folder.join("histories"), file(&history.header.case, run_folder));
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let file = std::fs::File::create(&path).with_context(|| format!("writing {}", path.display()))?;
    let mut file = std::io::BufWriter::new(file);
    let written = history::file::write(history, &mut file).and_then(|()| Ok(file.flush()?));
    written.with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
