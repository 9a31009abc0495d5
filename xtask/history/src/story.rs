//! Describes violated properties: lost writes first, then each property with a count and one example.

use std::collections::BTreeSet;

use crate::judge::{Judgement, judge_records};
use crate::model::{Fault, History, Operation, OperationKind, Outcome, Promise, Verdict};
use crate::set;

/// Returns a line for each property that is violated according to a judgement; empty if all hold.
///
/// A lost record also violates other properties: a client that has read it goes back in time, and replicas disagree while
/// it is being lost. Such consequences are left out; properties that are violated without the lost records are listed.
pub fn failures(history: &History, judgement: &Judgement) -> Vec<String> {
    let lost = lost_keys(history);
    if lost.is_empty() {
        return lines(judgement, |_| true);
    }
    let rest = History {
        operations: history.operations.iter().filter(|o| !lost.contains(o.key.as_str())).cloned().collect(),
        ..history.clone()
    };
    let by_record = |property: &str| BY_RECORD.contains(&property);
    let mut lines_of_loss = Loss { history, keys: &lost }.lines();
    // A property that holds with the lost records may be undecided without them.
    lines_of_loss.extend(lines(&judge_records(&rest), |property| by_record(property) && !judgement.has(property)));
    lines_of_loss.extend(lines(judgement, |property| !by_record(property)));
    lines_of_loss
}

/// The properties that are judged record by record, so that some records can be left out without affecting others.
const BY_RECORD: [&str; 3] = ["no acknowledged record lost", "monotonic reads", "final agreement"];

fn lost_keys(history: &History) -> BTreeSet<&str> {
    if !matches!(history.header.promise, Promise::Set | Promise::EventualSet) {
        return BTreeSet::new();
    }
    let lost: BTreeSet<String> = set::classify(&history.operations).lost.into_iter().collect();
    history.operations.iter().map(|o| o.key.as_str()).filter(|key| lost.contains(*key)).collect()
}

/// Returns a line for each wanted property that does not hold.
fn lines(judgement: &Judgement, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let verdicts = judgement.verdicts.iter().filter(|(property, _)| wanted(property));
    verdicts.filter_map(|(property, verdict)| line(property, verdict)).collect()
}

fn line(property: &str, verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Holds => None,
        Verdict::Undecided(why) => Some(format!("{property}: undecided: {why}")),
        Verdict::Violated(findings) => match &findings[..] {
            [only] => Some(format!("{property}: {only}")),
            _ => Some(format!("{property}: {} violations, the first: {}", findings.len(), findings.first()?)),
        },
    }
}

/// Acknowledged records that the application lost.
struct Loss<'a> {
    history: &'a History,
    keys: &'a BTreeSet<&'a str>,
}

impl Loss<'_> {
    /// Returns how many were lost, after which fault and through which replicas they had been acknowledged; and one example.
    fn lines(&self) -> Vec<String> {
        let operations = &self.history.operations;
        let is_acknowledged = |o: &&Operation| o.kind == OperationKind::Write && o.outcome == Outcome::Ok;
        let acknowledged: BTreeSet<_> = operations.iter().filter(is_acknowledged).map(|o| o.key.as_str()).collect();
        let mut writes: Vec<_> =
            operations.iter().filter(is_acknowledged).filter(|o| self.keys.contains(o.key.as_str())).collect();
        writes.sort_by_key(|o| o.start_ns);
        // A record may be known from a read only, if its write got no response.
        let count =
            format!("{} of {} acknowledged writes lost", self.keys.len(), acknowledged.len().max(self.keys.len()));
        let Some(first) = writes.first() else {
            return vec![format!(
                "{} writes lost that reads had found; their writers got no response",
                self.keys.len()
            )];
        };
        let through: BTreeSet<_> = writes.iter().map(|o| through(o)).collect();
        let fault = self.fault_before_loss(first).map(|fault| format!(" after {}", fault.what)).unwrap_or_default();
        vec![
            format!("{count}{fault}; acknowledged through {}", list(through)),
            format!("for example {}", self.tell(first)),
        ]
    }

    /// Returns the reads of a record after it was acknowledged, in order.
    fn reads_after<'a>(&'a self, write: &'a Operation) -> Vec<&'a Operation> {
        let later = |o: &&Operation| o.is_answered_read() && o.key == write.key && o.start_ns > write.end_ns;
        let mut reads: Vec<_> = self.history.operations.iter().filter(later).collect();
        reads.sort_by_key(|o| o.start_ns);
        reads
    }

    /// Returns the last fault before a record was first missing.
    fn fault_before_loss(&self, write: &Operation) -> Option<&Fault> {
        let missed_ns = self.reads_after(write).into_iter().find(|read| read.value.is_none())?.start_ns;
        self.history.faults.iter().filter(|fault| fault.start_ns <= missed_ns).max_by_key(|fault| fault.start_ns)
    }

    /// Describes one lost write: `w-17: written through caesium-0 at 12.3 s, acknowledged after 3 ms; delete Pod/caesium-0
    /// at 12.4 s; absent through caesium-1 from 19.0 s`.
    fn tell(&self, write: &Operation) -> String {
        let took_ms = write.end_ns.saturating_sub(write.start_ns) / 1_000_000;
        let mut parts = vec![format!(
            "{}: written through {} at {}, acknowledged after {took_ms} ms",
            write.key,
            through(write),
            seconds(write.start_ns)
        )];
        parts.extend(
            self.fault_before_loss(write).map(|fault| format!("{} at {}", fault.what, seconds(fault.start_ns))),
        );
        let reads = self.reads_after(write);
        let missing = reads.iter().filter(|read| read.value.is_none());
        let found = reads.iter().filter(|read| read.value.is_some());
        if let Some(last) = found.clone().next_back() {
            parts.push(format!(
                "last read through {} at {}",
                list(found.map(|o| through(o)).collect()),
                seconds(last.start_ns)
            ));
        }
        if let Some(first) = missing.clone().next() {
            let missing = missing.map(|o| through(o)).collect();
            parts.push(format!("absent through {} from {}", list(missing), seconds(first.start_ns)));
        }
        parts.join("; ")
    }
}

fn through(operation: &Operation) -> &str {
    operation.replica.as_deref().unwrap_or("the Service")
}

/// Returns the time since the start of the run: `12.3 s`.
fn seconds(ns: u64) -> String {
    let tenths = ns / 100_000_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// Returns `a, b and c`.
fn list(names: BTreeSet<&str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge;

    fn failures_of(history: &History) -> Vec<String> {
        failures(history, &judge(history))
    }
    use crate::file;

    const HEADER: &str = r#"{"header":{"format":"chartproof.history/1","case":"c::r3::kill","promise":"PROMISE","replicas":["a","b"],"minimum":{"before":0,"during":0,"after":0}}}"#;

    fn history(promise: &str, lines: &[&str]) -> History {
        let text = format!("{}\n{}", HEADER.replace("PROMISE", promise), lines.join("\n"));
        file::read(text.as_bytes()).unwrap()
    }

    fn operation(kind: &str, replica: &str, key: &str, found: bool, start_ms: u64) -> String {
        let value = if found { format!(r#""value":"{key}","#) } else { String::new() };
        let stage = if start_ms > 15_000 { "read_back" } else { "workload" };
        format!(
            r#"{{"operation":{{"client":"reader","replica":"{replica}","connection":"new","stage":"{stage}","kind":"{kind}","key":"{key}",{value}"start_ns":{},"end_ns":{},"outcome":"ok"}}}}"#,
            start_ms * 1_000_000,
            (start_ms + 3) * 1_000_000
        )
    }

    const FAULT: &str = r#"{"fault":{"what":"delete Pod/a, grace 0","start_ns":12400000000,"recovered_ns":18000000000,"evidence":"UID 1 → 2"}}"#;

    #[test]
    fn a_lost_write_is_reported_with_its_times_and_without_its_consequences() {
        let operations = [
            operation("write", "a", "w-1", true, 12_300),
            operation("write", "b", "w-2", true, 12_350),
            operation("read", "a", "w-1", true, 12_398),
            operation("read", "a", "w-1", false, 19_000),
            operation("read", "b", "w-1", false, 19_100),
            operation("read", "a", "w-2", true, 19_000),
            operation("read", "b", "w-2", true, 19_100),
        ];
        let lines: Vec<_> = operations.iter().map(String::as_str).chain([FAULT]).collect();
        let history = history("set", &lines);
        let broken = judge(&history).verdicts.into_iter().filter(|(_, verdict)| *verdict != Verdict::Holds);
        let broken: Vec<_> = broken.map(|(property, _)| property).collect();
        assert_eq!(broken, ["no acknowledged record lost", "monotonic reads"], "the loss has a consequence");
        assert_eq!(
            failures_of(&history),
            [
                "1 of 2 acknowledged writes lost after delete Pod/a, grace 0; acknowledged through a",
                "for example w-1: written through a at 12.3 s, acknowledged after 3 ms; delete Pod/a, grace 0 at 12.4 s; \
                 last read through a at 12.3 s; absent through a and b from 19.0 s",
            ]
        );
    }

    #[test]
    fn violations_without_a_loss_are_counted_with_an_example() {
        let operations = [
            operation("write", "a", "w-1", true, 1_000),
            operation("write", "a", "w-2", true, 1_100),
            operation("read", "a", "w-3", true, 2_000),
            operation("read", "a", "w-1", true, 19_000),
            operation("read", "a", "w-2", true, 19_000),
        ];
        let lines: Vec<_> = operations.iter().map(String::as_str).chain([FAULT]).collect();
        assert_eq!(
            failures_of(&history("set", &lines)),
            [
                "no acknowledged record lost: 1 record read that was never written: w-3",
                "final agreement: 2 violations, the first: key w-1 was not read back through b",
                "enough activity: no operation overlapped the fault: delete Pod/a, grace 0",
            ]
        );
    }

    #[test]
    fn a_good_history_reports_nothing() {
        let operations = [
            operation("write", "a", "w-1", true, 12_399),
            operation("read", "a", "w-1", true, 19_000),
            operation("read", "b", "w-1", true, 19_000),
        ];
        let lines: Vec<_> = operations.iter().map(String::as_str).chain([FAULT]).collect();
        assert_eq!(failures_of(&history("set", &lines)), Vec::<String>::new());
    }
}
