//! Non-vacuity: a history without a real fault or enough operations proves nothing.

use crate::model::{Fault, History, Operation, OperationKind, Stage, Verdict};

/// Checks that there is evidence of every fault, that client operations overlapped it, that the application recovered
/// from it, and that enough writes or checks of its health succeeded before, during and after.
pub fn check(history: &History) -> Verdict {
    let (Some(first), Some(last)) = (history.faults.first(), history.faults.last()) else {
        return Verdict::Violated(vec!["no fault was injected".to_owned()]);
    };
    let mut findings: Vec<String> = history.faults.iter().flat_map(|fault| of_fault(fault, history)).collect();
    let Some(recovered_ns) = last.recovered_ns else { return Verdict::of(findings) };
    let minimum = history.header.minimum;
    for (when, seen, wanted) in [
        ("before the fault", acknowledged(history, 0, first.start_ns), minimum.before),
        ("from the fault to recovery", acknowledged(history, first.start_ns, recovered_ns), minimum.during),
        ("after recovery", acknowledged(history, recovered_ns, u64::MAX), minimum.after),
    ] {
        if seen < wanted {
            let what = counted(history);
            findings.push(format!("{seen} {what} {when}, but at least {wanted} are required"));
        }
    }
    Verdict::of(findings)
}

fn of_fault(fault: &Fault, history: &History) -> Vec<String> {
    let mut findings = Vec::new();
    if fault.evidence.is_none() {
        findings.push(format!("no evidence that the fault happened: {}", fault.what));
    }
    match fault.recovered_ns {
        None => findings.push(format!("no recovery from the fault: {}", fault.what)),
        Some(recovered_ns) => {
            let overlaps = |o: &&Operation| o.start_ns <= recovered_ns && o.end_ns >= fault.start_ns;
            if !workload(history).any(|operation| overlaps(&operation)) {
                findings.push(format!("no operation overlapped the fault: {}", fault.what));
            }
        }
    }
    findings
}

/// Describes the operations that are counted.
fn counted(history: &History) -> &'static str {
    let is_health = workload(history).any(|operation| operation.kind == OperationKind::Health);
    if is_health { "checks found the application healthy" } else { "writes were acknowledged" }
}

fn acknowledged(history: &History, from_ns: u64, to_ns: u64) -> usize {
    let in_time = |o: &&Operation| (from_ns..to_ns).contains(&o.end_ns);
    workload(history).filter(|operation| operation.shows_that_it_works()).filter(in_time).count()
}

/// Returns the clients' operations around the faults of this case.
fn workload(history: &History) -> impl Iterator<Item = &Operation> {
    history.operations.iter().filter(|operation| operation.stage == Stage::Workload)
}
