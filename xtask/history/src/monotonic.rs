//! Monotonic reads: a client never goes back in time, whichever replicas it reads through.

use std::collections::HashMap;

use crate::model::{Operation, OperationKind, Outcome, Verdict};

/// Judges every client separately, key by key.
///
/// A read goes back if an earlier read of the same client returned a value whose write began after the write of the
/// current value had ended, or returned a value that is now missing although it was not deleted.
pub fn check(operations: &[Operation]) -> Verdict {
    let writes: HashMap<(&str, &str), &Operation> = operations
        .iter()
        .filter(|o| o.kind == OperationKind::Write)
        .filter_map(|o| Some(((o.key.as_str(), o.value.as_deref()?), o)))
        .collect();
    let mut reads: Vec<_> = operations.iter().filter(|o| o.is_answered_read()).collect();
    reads.sort_by_key(|o| o.start_ns);
    let mut newest: HashMap<(&str, &str), &Operation> = HashMap::new();
    let mut findings = Vec::new();
    for read in reads {
        let seen = newest.entry((&read.client, &read.key)).or_insert(read);
        if goes_back(seen, read, &writes) && !deleted_by(operations, read) {
            findings.push(describe(seen, read));
        } else {
            *seen = read;
        }
    }
    Verdict::of(findings)
}

fn goes_back(before: &Operation, now: &Operation, writes: &HashMap<(&str, &str), &Operation>) -> bool {
    let Some(before_value) = before.value.as_deref() else { return false };
    let Some(now_value) = now.value.as_deref() else { return true };
    let (before, now) = (writes.get(&(&before.key, before_value)), writes.get(&(&now.key, now_value)));
    let (Some(before), Some(now)) = (before, now) else { return false };
    now.outcome == Outcome::Ok && now.end_ns < before.start_ns
}

fn deleted_by(operations: &[Operation], read: &Operation) -> bool {
    read.value.is_none()
        && operations.iter().any(|o| {
            let deletes = o.kind == OperationKind::Delete && o.outcome != Outcome::Failed;
            deletes && o.key == read.key && o.start_ns <= read.end_ns
        })
}

fn describe(before: &Operation, now: &Operation) -> String {
    let text = |o: &Operation| o.value.clone().unwrap_or_else(|| "nothing".to_owned());
    let through = now.replica.as_deref().unwrap_or("the Service");
    format!("{} read {} of key {} and later, through {through}, {}", now.client, text(before), now.key, text(now))
}
