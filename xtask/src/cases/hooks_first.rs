//! `hooks_first`: the Jobs of the release's pre-install hooks finished before any of its workloads was created.

use std::future::ready;

use anyhow::{Context as _, ensure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use kubernetes::watch::State;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "hooks_first",
        summary: "the Jobs of pre-install hooks finished before any workload was created",
        needs: &[&install::CASE.kind],
        takes_release: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(ready(run(cx))),
};

fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let deployed_release = cx.deployed_release(&deployed)?;
    let hooks = deployed_release.hook_jobs("pre-install");
    ensure!(!hooks.is_empty(), "release {} has no pre-install Job", deployed_release.release.key());
    let state = deployed_release.watch.state();
    let made = made(&state, deployed_release)?;
    ensure!(!made.is_empty(), "release {} has no workload to compare its hooks with", deployed_release.release.key());
    for hook in &hooks {
        let job =
            state.jobs.get(*hook).with_context(|| format!("Job/{hook} is gone, so its completion time is unknown"))?;
        let done = job.status.as_ref().and_then(|status| status.completion_time.clone());
        let done = done.with_context(|| format!("Job/{hook} did not complete"))?;
        check(hook, &done, &made)?;
    }
    Ok(hooks.join(", "))
}

fn check(hook: &str, done: &Time, made: &[(String, Time)]) -> anyhow::Result<()> {
    for (name, made) in made {
        ensure!(done.0 <= made.0, "{name} was created at {}, before Job/{hook} completed at {}", made.0, done.0);
    }
    Ok(())
}

/// Returns when the release's workloads were created.
fn made(state: &State, deployed_release: &DeployedRelease) -> anyhow::Result<Vec<(String, Time)>> {
    let when = |(kind, name): (&str, &str)| {
        let metadata = match kind {
            "Deployment" => state.deployments.get(name).map(|one| &one.metadata),
            _ => state.stateful_sets.get(name).map(|one| &one.metadata),
        };
        let made = metadata.and_then(|metadata| metadata.creation_timestamp.clone());
        Ok((format!("{kind}/{name}"), made.with_context(|| format!("{kind}/{name} does not exist"))?))
    };
    deployed_release.workloads().into_iter().map(when).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32) -> Time {
        serde_json::from_value(format!("2026-11-21T10:00:{second:02}Z").into()).unwrap()
    }

    #[test]
    fn a_workload_that_did_not_wait_for_the_hook_is_named() {
        let made = [("Deployment/web".to_owned(), at(5)), ("StatefulSet/db".to_owned(), at(2))];
        check("migrate", &at(2), &made).unwrap();
        assert_eq!(
            check("migrate", &at(3), &made).unwrap_err().to_string(),
            "StatefulSet/db was created at 2026-11-21T10:00:02Z, before Job/migrate completed at 2026-11-21T10:00:03Z"
        );
    }
}
