//! `hooks_first`: the Jobs of the release's pre-install hooks were done before any workload of it was made.

use anyhow::{Context as _, ensure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::context::Cx;
use crate::kubernetes::watch::State;
use crate::placed::Placed;

/// Runs the case.
pub fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let placed = cx.placed(&stage)?;
    let hooks = placed.hook_jobs("pre-install");
    ensure!(!hooks.is_empty(), "release {} has no Job at pre-install", placed.release.key());
    let state = placed.watch.state();
    for hook in &hooks {
        let job =
            state.jobs.get(*hook).with_context(|| format!("Job/{hook} is gone: when it was done can't be told"))?;
        let done = job.status.as_ref().and_then(|status| status.completion_time.clone());
        let done = done.with_context(|| format!("Job/{hook} did not complete"))?;
        for (name, made) in made(&state, placed) {
            ensure!(done.0 <= made.0, "{name} was made at {:?}, before Job/{hook} was done at {:?}", made.0, done.0);
        }
    }
    Ok(hooks.join(", "))
}

/// When the release's workloads were made.
fn made(state: &State, placed: &Placed) -> Vec<(String, Time)> {
    let when = |(kind, name): (&str, &str)| {
        let made = match kind {
            "Deployment" => state.deployments.get(name)?.metadata.creation_timestamp.clone(),
            _ => state.stateful_sets.get(name)?.metadata.creation_timestamp.clone(),
        };
        Some((format!("{kind}/{name}"), made?))
    };
    placed.workloads().into_iter().filter_map(when).collect()
}
