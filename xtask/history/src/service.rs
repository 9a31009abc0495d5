//! The Service sends traffic to ready replicas only.

use crate::model::{Connection, History, Operation, OperationKind, Verdict};

/// How long a Service may lag behind: a replica is gone, but its endpoint still exists.
const BEHIND_NS: u64 = 3_000_000_000;
/// Refusals further apart than this belong to different replicas.
const APART_NS: u64 = 1_000_000_000;

const KINDS: [OperationKind; 4] =
    [OperationKind::Write, OperationKind::Read, OperationKind::Delete, OperationKind::Health];

/// Judges the new connections through the Service.
///
/// If one of several replicas is lost, connections are refused until the Service is updated. If some are accepted and
/// some are refused for longer than that, the Service sends traffic to an unready replica. With a single replica there
/// is nothing to judge. If all are refused, no replica is ready; the availability check covers that. A command makes a
/// connection of its own, of which nobody sees whether it was accepted, so kinds of operations that are never refused
/// don't count as accepted.
pub fn check(history: &History) -> Verdict {
    if history.header.replicas.len() < 2 {
        return Verdict::Holds;
    }
    let mut attempts: Vec<_> = history.operations.iter().filter(|o| o.connection == Connection::Service).collect();
    attempts.sort_by_key(|o| o.start_ns);
    let refused: Vec<_> = attempts.iter().copied().filter(|o| o.refused).collect();
    let kinds: Vec<_> = KINDS.into_iter().filter(|kind| refused.iter().any(|o| o.kind == *kind)).collect();
    attempts.retain(|o| kinds.contains(&o.kind));
    let near = |a: &&Operation, b: &&Operation| b.start_ns.saturating_sub(a.start_ns) <= APART_NS;
    Verdict::of(refused.chunk_by(near).filter_map(|series| finding(series, &attempts)).collect())
}

/// Returns what is wrong with a series of refusals in short succession.
fn finding(series: &[&Operation], attempts: &[&Operation]) -> Option<String> {
    let (first, last) = (series.first()?, series.last()?);
    let lasted_ns = last.start_ns - first.start_ns;
    let within = |o: &&&Operation| (first.start_ns..=last.start_ns).contains(&o.start_ns);
    let taken = attempts.iter().filter(within).filter(|o| !o.refused).count();
    if lasted_ns <= BEHIND_NS || taken == 0 {
        return None;
    }
    let why = first.error.as_deref().unwrap_or("refused");
    Some(format!(
        "{} of {} connections through the Service were refused over {} ms while others were accepted: it sends traffic \
         to an unready replica; {why}",
        series.len(),
        series.len() + taken,
        lasted_ns / 1_000_000
    ))
}
