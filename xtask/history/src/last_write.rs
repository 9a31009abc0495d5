//! Eventual registers: in the end, every replica returns the last acknowledged value of a key, or one that was written
//! concurrently or later.
//!
//! Reads during the workload may be late and are ignored here. A final read is explained by a write of its value that was
//! not certainly overwritten: no write began after it had ended and was acknowledged before the read. A write with an
//! unknown outcome may take effect at any time after its start, so it is never certainly overwritten.

use crate::agreement::final_reads;
use crate::model::{History, Operation, OperationKind, Outcome, Verdict};

/// Judges the final read of every key through every replica. [`crate::agreement`] checks that all of them were read.
pub fn check(history: &History) -> Verdict {
    let mut findings = Vec::new();
    for (key, by_replica) in final_reads(history) {
        let writes: Vec<_> = history.operations.iter().filter(|o| o.key == key && changes(o)).collect();
        let found = by_replica.iter().filter_map(|(replica, read)| finding(replica, read, &writes));
        findings.extend(found.map(|why| format!("key {key}: {why}")));
    }
    Verdict::of(findings)
}

/// Returns whether an operation set the key, or may have.
fn changes(operation: &Operation) -> bool {
    operation.kind != OperationKind::Read && operation.outcome != Outcome::Failed
}

/// Returns what is wrong with a final read; none if a write explains it.
fn finding(replica: &str, read: &Operation, writes: &[&Operation]) -> Option<String> {
    let acknowledged = writes.iter().filter(|w| w.outcome == Outcome::Ok && w.end_ns < read.start_ns);
    let last = acknowledged.max_by_key(|w| w.start_ns);
    let returned = text(read);
    let mut written = writes.iter().filter(|w| w.value == read.value && w.start_ns <= read.end_ns).peekable();
    if read.value.is_none() && last.is_none() {
        return None;
    }
    if read.value.is_some() && written.peek().is_none() {
        return Some(format!("{replica} returns {returned}, which was never written"));
    }
    let is_overwritten = |w: &&Operation| w.outcome == Outcome::Ok && last.is_some_and(|l| l.start_ns > w.end_ns);
    if written.any(|w| !is_overwritten(w)) {
        return None;
    }
    let lost = last.map(|l| text(l)).unwrap_or_default();
    let later = if read.value.is_some() { "written later and " } else { "" };
    Some(format!("{replica} returns {returned}, though {lost} was {later}acknowledged (lost)"))
}

fn text(operation: &Operation) -> &str {
    operation.value.as_deref().unwrap_or("nothing")
}
