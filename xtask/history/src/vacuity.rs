//! Non-vacuity: a history in which nothing was at stake proves nothing.

use crate::model::{History, Operation, OperationKind, Outcome, Verdict};

/// Asks that every fault shows, that operations overlapped it, and that enough was acknowledged
/// before, during and after.
pub fn check(history: &History) -> Verdict {
    let (Some(first), Some(last)) = (history.faults.first(), history.faults.last()) else {
        return Verdict::Violated(vec!["no fault was injected".to_owned()]);
    };
    let mut findings: Vec<String> = history
        .faults
        .iter()
        .filter(|fault| fault.evidence.is_none())
        .map(|fault| format!("nothing shows that the fault happened: {}", fault.what))
        .collect();
    let Some(recovered_ns) = last.recovered_ns else {
        findings.push(format!("never recovered from: {}", last.what));
        return Verdict::Violated(findings);
    };
    let overlapped = history.operations.iter().any(|o| o.start_ns <= recovered_ns && o.end_ns >= first.start_ns);
    if !overlapped {
        findings.push("no operation overlapped the fault".to_owned());
    }
    let acknowledged = |from: u64, to: u64| {
        let counts = |o: &&Operation| {
            o.kind == OperationKind::Write && o.outcome == Outcome::Ok && (from..to).contains(&o.end_ns)
        };
        history.operations.iter().filter(counts).count()
    };
    let minimum = history.header.minimum;
    for (when, seen, wanted) in [
        ("before the fault", acknowledged(0, first.start_ns), minimum.before),
        ("from the fault to recovery", acknowledged(first.start_ns, recovered_ns), minimum.during),
        ("after recovery", acknowledged(recovered_ns, u64::MAX), minimum.after),
    ] {
        if seen < wanted {
            findings.push(format!("{seen} writes were acknowledged {when}, at least {wanted} are needed"));
        }
    }
    Verdict::of(findings)
}
