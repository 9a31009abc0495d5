//! Nobody is sent to a replica that is not ready: the Service leads to ready ones only.

use crate::model::{Connection, History, Operation, Verdict};

/// A Service may be behind for so long: a replica went, and its endpoint is still there.
const BEHIND_NS: u64 = 3_000_000_000;
/// Refusals further apart than this belong to different replicas that went.
const APART_NS: u64 = 1_000_000_000;

/// Judges the connections that were asked of the Service one by one.
///
/// Where one replica of several goes, connections are refused until the Service has learnt of it. Where some are
/// taken and some are refused for longer than that, it leads to a replica that is not ready. One replica alone is
/// either there or not; and while all are refused, nobody is ready, which is availability's to judge.
pub fn check(history: &History) -> Verdict {
    if history.header.replicas.len() < 2 {
        return Verdict::Holds;
    }
    let mut asked: Vec<_> = history.operations.iter().filter(|o| o.connection == Connection::Service).collect();
    asked.sort_by_key(|o| o.start_ns);
    let refused: Vec<_> = asked.iter().copied().filter(|o| o.refused).collect();
    let near = |a: &&Operation, b: &&Operation| b.start_ns.saturating_sub(a.start_ns) <= APART_NS;
    Verdict::of(refused.chunk_by(near).filter_map(|run| finding(run, &asked)).collect())
}

/// What is wrong with a run of refusals that follow each other closely.
fn finding(run: &[&Operation], asked: &[&Operation]) -> Option<String> {
    let (first, last) = (run.first()?, run.last()?);
    let lasted_ns = last.start_ns - first.start_ns;
    let within = |o: &&&Operation| (first.start_ns..=last.start_ns).contains(&o.start_ns);
    let taken = asked.iter().filter(within).filter(|o| !o.refused).count();
    if lasted_ns <= BEHIND_NS || taken == 0 {
        return None;
    }
    let why = first.error.as_deref().unwrap_or("refused");
    Some(format!(
        "{} of {} connections through the Service were refused over {} ms, the others were taken: it leads to a \
         replica that is not ready; {why}",
        run.len(),
        run.len() + taken,
        lasted_ns / 1_000_000
    ))
}
