//! Final agreement: after recovery every replica answers the same for every key.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{History, Operation, Stage, Verdict};

/// Compares the last read-back of every key through every replica of the header.
pub fn check(history: &History) -> Verdict {
    let mut last: BTreeMap<&str, BTreeMap<&str, &Operation>> = BTreeMap::new();
    for read in history.operations.iter().filter(|o| o.stage == Stage::ReadBack && o.is_answered_read()) {
        let Some(replica) = read.replica.as_deref() else { continue };
        let slot = last.entry(&read.key).or_default().entry(replica).or_insert(read);
        if read.start_ns >= slot.start_ns {
            *slot = read;
        }
    }
    if last.is_empty() {
        return Verdict::Undecided("nothing was read back after recovery".to_owned());
    }
    let findings = last.iter().filter_map(|(key, by_replica)| disagreement(history, key, by_replica));
    Verdict::of(findings.collect())
}

fn disagreement(history: &History, key: &str, by_replica: &BTreeMap<&str, &Operation>) -> Option<String> {
    let silent: Vec<_> = history.header.replicas.iter().filter(|r| !by_replica.contains_key(r.as_str())).collect();
    if let Some(replica) = silent.first() {
        return Some(format!("key {key} was not read back through {replica}"));
    }
    let values: BTreeSet<_> = by_replica.values().map(|read| &read.value).collect();
    if values.len() < 2 {
        return None;
    }
    let told: Vec<_> = by_replica
        .iter()
        .map(|(replica, read)| format!("{replica} has {}", read.value.as_deref().unwrap_or("nothing")))
        .collect();
    Some(format!("replicas disagree on key {key}: {}", told.join(", ")))
}
