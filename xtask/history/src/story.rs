//! Describes violated properties: lost writes first, then each property with a count and one example.

use std::collections::BTreeSet;
use std::fmt;

use crate::judge::{Judgement, judge_records};
use crate::model::{Fault, History, Operation, OperationKind, Outcome, Promise, Verdict};
use crate::set;
use crate::words::{seconds, through};

/// Returns a line for each property that is violated according to a judgement; empty if all hold.
///
/// A lost record also violates other properties: a client that has read it goes back in time, and replicas disagree while
/// it is being lost. Such consequences are left out; properties that are violated without the lost records are listed.
pub fn failures(history: &History, judgement: &Judgement) -> Vec<String> {
    let lost = lost_keys(history);
    if lost.is_empty() {
        return lines(history, judgement, |_| true);
    }
    let rest = History {
        operations: history.operations.iter().filter(|o| !lost.contains(o.key.as_str())).cloned().collect(),
        ..history.clone()
    };
    let by_record = |property: &str| BY_RECORD.contains(&property);
    let mut lines_of_loss = Loss { history, keys: &lost }.lines();
    // A property that holds with the lost records may be undecided without them.
    lines_of_loss
        .extend(lines(history, &judge_records(&rest), |property| by_record(property) && !judgement.has(property)));
    lines_of_loss.extend(lines(history, judgement, |property| !by_record(property)));
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

/// Properties whose violation is a consequence of the faults: their line names these first.
const AFTER_FAULTS: [&str; 2] = ["linearizability", "no acknowledged write lost"];

/// Returns a line for each wanted property that does not hold.
fn lines(history: &History, judgement: &Judgement, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let faults: Vec<_> = history.faults.iter().map(|fault| fault.what.as_str()).collect();
    let after = if faults.is_empty() { String::new() } else { format!(" after {}", faults.join(", then ")) };
    let verdicts = judgement.verdicts.iter().filter(|(property, _)| wanted(property));
    let named = |property: &str| {
        let after = if AFTER_FAULTS.contains(&property) { after.as_str() } else { "" };
        format!("{property}{after}")
    };
    verdicts.filter_map(|(property, verdict)| line(&named(property), verdict)).collect()
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as a filter of an iterator takes it")]
fn is_acknowledged(operation: &&Operation) -> bool {
    operation.kind == OperationKind::Write && operation.outcome == Outcome::Ok
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
        let acknowledged: BTreeSet<_> = operations.iter().filter(is_acknowledged).map(|o| o.key.as_str()).collect();
        let writes = self.writes();
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
            format!(
                "for example: {}",
                self.steps(first).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            ),
        ]
    }

    /// Returns the lost writes, in order.
    fn writes(&self) -> Vec<&Operation> {
        let operations = self.history.operations.iter().filter(is_acknowledged);
        let mut writes: Vec<_> = operations.filter(|o| self.keys.contains(o.key.as_str())).collect();
        writes.sort_by_key(|o| o.start_ns);
        writes
    }

    /// Returns the reads of a record after it was acknowledged, in order.
    fn reads_after<'a>(&'a self, write: &'a Operation) -> Vec<&'a Operation> {
        let later = |o: &&Operation| o.is_answered_read() && o.key == write.key && o.start_ns > write.end_ns;
        let mut reads: Vec<_> = self.history.operations.iter().filter(later).collect();
        reads.sort_by_key(|o| o.start_ns);
        reads
    }

    /// Returns the fault that lasted while a record was written, or else the last one before it was first missing.
    fn fault_before_loss(&self, write: &Operation) -> Option<&Fault> {
        let missed_ns = self.reads_after(write).into_iter().find(|read| read.value.is_none())?.start_ns;
        let lasted = |fault: &&Fault| {
            fault.start_ns <= write.end_ns && fault.healed_ns.is_some_and(|healed_ns| write.start_ns <= healed_ns)
        };
        let before = self.history.faults.iter().filter(|fault| fault.start_ns <= missed_ns);
        before.max_by_key(|fault| (lasted(fault), fault.start_ns))
    }

    /// Returns what happened to one lost write, in order: it was written, a fault was injected, and reads missed it.
    fn steps(&self, write: &Operation) -> Vec<Step> {
        let took_ms = write.end_ns.saturating_sub(write.start_ns) / 1_000_000;
        let written = format!("{} written through {}, acknowledged after {took_ms} ms", write.key, through(write));
        let step = |at_ns, what| Step { at_ns, what };
        let mut steps = vec![step(write.start_ns, written)];
        steps.extend(self.fault_before_loss(write).map(|fault| step(fault.start_ns, fault.what.clone())));
        let reads = self.reads_after(write);
        let missing = reads.iter().filter(|read| read.value.is_none());
        let found = reads.iter().filter(|read| read.value.is_some());
        if let Some(last) = found.clone().next_back() {
            let found = found.map(|o| through(o)).collect();
            steps.push(step(last.start_ns, format!("last read through {}", list(found))));
        }
        if let Some(first) = missing.clone().next() {
            let missing = missing.map(|o| through(o)).collect();
            steps.push(step(first.start_ns, format!("absent through {} from then on", list(missing))));
        }
        steps.sort_by_key(|step| step.at_ns);
        steps
    }
}

/// A step of an example.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// When it happened.
    pub at_ns: u64,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", seconds(self.at_ns), self.what)
    }
}

/// Returns the steps of the smallest example of a lost write: the first one. None if no write was lost.
pub fn example(history: &History) -> Vec<Step> {
    let keys = lost_keys(history);
    let loss = Loss { history, keys: &keys };
    loss.writes().first().map(|first| loss.steps(first)).unwrap_or_default()
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
                "for example: 12.3 s: w-1 written through a, acknowledged after 3 ms; 12.3 s: last read through a; \
                 12.4 s: delete Pod/a, grace 0; 19.0 s: absent through a and b from then on",
            ]
        );
    }

    #[test]
    fn a_write_is_lost_by_the_fault_that_lasted_when_it_was_written() {
        let cut = r#"{"fault":{"what":"cut a off","start_ns":12000000000,"healed_ns":13000000000,"apart":["a"],"recovered_ns":18000000000,"evidence":"9 packets"}}"#;
        let killed = FAULT.replace("12400000000", "14000000000");
        let operations = [
            operation("write", "a", "w-1", true, 12_300),
            operation("read", "a", "w-1", false, 19_000),
            operation("read", "b", "w-1", false, 19_100),
        ];
        let lines: Vec<_> = operations.iter().map(String::as_str).chain([cut, killed.as_str()]).collect();
        let lost = "1 of 1 acknowledged writes lost after cut a off; acknowledged through a";
        assert_eq!(failures_of(&history("set", &lines))[0], lost);
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
