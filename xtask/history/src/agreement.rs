//! Final agreement: after recovery, every replica returns the same value for every key.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{History, Operation, OperationKind, Outcome, Stage, Verdict};

/// Compares the final reads of every key through every replica in the header. Every key with an acknowledged write must
/// be among them.
pub fn check(history: &History) -> Verdict {
    let reads = final_reads(history);
    if reads.is_empty() {
        return Verdict::Undecided("nothing was read back after recovery".to_owned());
    }
    let none = BTreeMap::new();
    let keys: BTreeSet<_> = reads.keys().copied().chain(acknowledged(&history.operations)).collect();
    let findings = keys.into_iter().filter_map(|key| disagreement(history, key, reads.get(key).unwrap_or(&none)));
    Verdict::of(findings.collect())
}

/// Returns, by key and replica, the last successful read that began after recovery.
pub(crate) fn final_reads(history: &History) -> BTreeMap<&str, BTreeMap<&str, &Operation>> {
    let recovered_ns = history.faults.iter().filter_map(|fault| fault.recovered_ns).max().unwrap_or_default();
    let is_final = |o: &&Operation| o.stage == Stage::ReadBack && o.is_answered_read() && o.start_ns >= recovered_ns;
    let mut last: BTreeMap<&str, BTreeMap<&str, &Operation>> = BTreeMap::new();
    for read in history.operations.iter().filter(is_final) {
        let Some(replica) = read.replica.as_deref() else { continue };
        let slot = last.entry(&read.key).or_default().entry(replica).or_insert(read);
        if read.start_ns >= slot.start_ns {
            *slot = read;
        }
    }
    last
}

/// Returns the keys with an acknowledged write, except those that were or may have been deleted, which are not read back.
fn acknowledged(operations: &[Operation]) -> impl Iterator<Item = &str> {
    let is_deleted = |o: &&Operation| o.kind == OperationKind::Delete && o.outcome != Outcome::Failed;
    let deleted: BTreeSet<_> = operations.iter().filter(is_deleted).map(|o| o.key.as_str()).collect();
    let written = operations.iter().filter(|o| o.kind == OperationKind::Write && o.outcome == Outcome::Ok);
    written.map(|o| o.key.as_str()).filter(move |key| !deleted.contains(key))
}

fn disagreement(history: &History, key: &str, by_replica: &BTreeMap<&str, &Operation>) -> Option<String> {
    let missing: Vec<_> = history.header.replicas.iter().filter(|r| !by_replica.contains_key(r.as_str())).collect();
    if let Some(replica) = missing.first() {
        return Some(format!("key {key} was not read back through {replica}"));
    }
    let values: BTreeSet<_> = by_replica.values().map(|read| &read.value).collect();
    if values.len() < 2 {
        return None;
    }
    let values_by_replica: Vec<_> = by_replica
        .iter()
        .map(|(replica, read)| format!("{replica} has {}", read.value.as_deref().unwrap_or("nothing")))
        .collect();
    Some(format!("replicas disagree on key {key}: {}", values_by_replica.join(", ")))
}
