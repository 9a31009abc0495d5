//! Records that are created once (Jepsen's `set-full`): each ends stable, lost, stale, never read,
//! resurrected or phantom.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Operation, OperationKind, Outcome, Verdict};

/// The fate of the records, by key. A record is in the first list that applies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SetReport {
    /// Acknowledged or seen, and seen by every read that began afterwards.
    pub stable: Vec<String>,
    /// Acknowledged or seen, but the last read through some replica did not find it.
    pub lost: Vec<String>,
    /// Missed by a read that began after it was acknowledged or seen, but found by the last reads.
    pub stale: Vec<String>,
    /// Acknowledged, but not read afterwards: nothing is known about it.
    pub never_read: Vec<String>,
    /// Seen by a read that began after its deletion was acknowledged.
    pub resurrected: Vec<String>,
    /// Seen although it was never written, its write certainly failed, or it had another value.
    pub phantom: Vec<String>,
}

/// Sorts every record of a history into the report.
pub fn classify(operations: &[Operation]) -> SetReport {
    let mut by_key: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        by_key.entry(&operation.key).or_default().push(operation);
    }
    let mut report = SetReport::default();
    for (key, operations) in by_key {
        if let Some(list) = fate(&operations).list(&mut report) {
            list.push(key.to_owned());
        }
    }
    report
}

/// Judges the report. With `late_reads`, the application only promises that a read finds everything in the end.
pub fn check(operations: &[Operation], late_reads: bool) -> Verdict {
    let report = classify(operations);
    let mut findings = Vec::new();
    let mut find = |[one, several]: [&str; 2], keys: &[String]| {
        if !keys.is_empty() {
            let what = if keys.len() == 1 { one } else { several };
            findings.push(format!("{} {what}: {}", keys.len(), sample(keys)));
        }
    };
    find(["acknowledged record lost", "acknowledged records lost"], &report.lost);
    find(["deleted record reappeared", "deleted records reappeared"], &report.resurrected);
    find(["record read that was never written", "records read that were never written"], &report.phantom);
    find(["acknowledged record never read back", "acknowledged records never read back"], &report.never_read);
    if !late_reads {
        find(
            [
                "acknowledged record missed by a later read (stale)",
                "acknowledged records missed by a later read (stale)",
            ],
            &report.stale,
        );
    }
    Verdict::of(findings)
}

/// Returns the first few keys.
pub(crate) fn sample(keys: &[String]) -> String {
    let shown = keys.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    if keys.len() > 3 { format!("{shown} and {} more", keys.len() - 3) } else { shown }
}

enum Fate {
    Stable,
    Lost,
    Stale,
    NeverRead,
    Resurrected,
    Phantom,
    /// Never acknowledged and never seen, or deleted in the end: not in the report.
    Nothing,
}

impl Fate {
    fn list(self, report: &mut SetReport) -> Option<&mut Vec<String>> {
        match self {
            Self::Stable => Some(&mut report.stable),
            Self::Lost => Some(&mut report.lost),
            Self::Stale => Some(&mut report.stale),
            Self::NeverRead => Some(&mut report.never_read),
            Self::Resurrected => Some(&mut report.resurrected),
            Self::Phantom => Some(&mut report.phantom),
            Self::Nothing => None,
        }
    }
}

fn fate(operations: &[&Operation]) -> Fate {
    let reads: Vec<_> = operations.iter().copied().filter(|o| o.is_answered_read()).collect();
    if reads.iter().any(|read| is_phantom(read, operations)) {
        return Fate::Phantom;
    }
    let deletes: Vec<_> = operations.iter().filter(|o| o.kind == OperationKind::Delete).collect();
    let deleted_ns = deletes.iter().filter(|o| o.outcome == Outcome::Ok).map(|o| o.end_ns).min();
    if let Some(deleted_ns) = deleted_ns {
        let came_back = reads.iter().any(|read| read.value.is_some() && read.start_ns > deleted_ns);
        return if came_back { Fate::Resurrected } else { Fate::Nothing };
    }
    // A delete that may have worked explains any absence.
    if deletes.iter().any(|o| o.outcome == Outcome::Unknown) {
        return Fate::Nothing;
    }
    match known_ns(operations) {
        None => Fate::Nothing,
        Some(known_ns) => fate_of_known(&reads, known_ns),
    }
}

/// Returns the time from which on the record certainly exists: its write was acknowledged, or a read found it.
fn known_ns(operations: &[&Operation]) -> Option<u64> {
    let shows = |o: &&&Operation| match o.kind {
        OperationKind::Write => o.outcome == Outcome::Ok,
        OperationKind::Read => o.outcome == Outcome::Ok && o.value.is_some(),
        OperationKind::Delete | OperationKind::Health => false,
    };
    operations.iter().filter(shows).map(|o| o.end_ns).min()
}

fn fate_of_known(reads: &[&Operation], known_ns: u64) -> Fate {
    let later: Vec<_> = reads.iter().filter(|read| read.start_ns > known_ns).collect();
    let seen = reads.iter().any(|read| read.value.is_some());
    if later.is_empty() && !seen {
        return Fate::NeverRead;
    }
    // The Service is not a replica: a late read through it is stale, and says nothing about the final state.
    let mut last_by_replica: BTreeMap<&str, &Operation> = BTreeMap::new();
    for read in &later {
        let Some(replica) = read.replica.as_deref() else { continue };
        let last = last_by_replica.entry(replica).or_insert(read);
        if read.start_ns >= last.start_ns {
            *last = read;
        }
    }
    if last_by_replica.values().any(|read| read.value.is_none()) {
        return Fate::Lost;
    }
    if later.iter().any(|read| read.value.is_none()) { Fate::Stale } else { Fate::Stable }
}

fn is_phantom(read: &Operation, operations: &[&Operation]) -> bool {
    let Some(value) = &read.value else { return false };
    let may_have_written =
        |o: &&Operation| o.kind == OperationKind::Write && o.outcome != Outcome::Failed && o.start_ns <= read.end_ns;
    !operations.iter().any(|o| may_have_written(o) && o.value.as_ref() == Some(value))
}
