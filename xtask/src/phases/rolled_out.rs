//! What several phases wait for: every Deployment and `StatefulSet` of a release runs its current revision and is ready.

use super::context::Cx;
use crate::kubernetes::watch::State;
use crate::placed::Placed;

/// Waits until every workload of a release is rolled out.
///
/// # Errors
/// Where that does not come about in the case's time, or can't any more.
pub async fn rolled_out(cx: &Cx, placed: &Placed) -> anyhow::Result<()> {
    let workloads = placed.workloads();
    let what = format!("release {} rolled out", placed.release.key());
    cx.wait.until(&placed.watch, &what, |state| all_rolled_out(state, &workloads)).await
}

fn all_rolled_out(state: &State, workloads: &[(&str, &str)]) -> Result<(), String> {
    let open = workloads.iter().filter_map(|(kind, name)| {
        let Some(rollout) = state.rollout(kind, name) else { return Some(format!("{kind}/{name} is not there")) };
        (!rollout.done).then(|| format!("{kind}/{name} {}/{} ready", rollout.ready, rollout.wanted))
    });
    let open: Vec<_> = open.collect();
    if open.is_empty() { Ok(()) } else { Err(open.join("; ")) }
}
