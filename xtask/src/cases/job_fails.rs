//! `job_fails`: a Job that can't succeed fails with the expected reason after the expected number of attempts, and its
//! logs say why.

use anyhow::{Context as _, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use super::support::jobs::reason;
use super::support::signs;
use crate::deployed_release::DeployedRelease;
use suite::{CaseKind, Parameters, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "job_fails",
        summary: "a second release fails with this reason after this number of attempts, and the log of each attempt \
                  says why",
        needs: &[&install::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Values that make it fail.
    #[serde(default)]
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
    /// Reason of its `Failed` condition, such as `BackoffLimitExceeded`.
    #[schemars(schema_with = "definitions::words")]
    reason: String,
    /// Number of pods that it started: one more than its retries.
    #[schemars(range(min = 1, max = 100))]
    attempts: usize,
    /// Text that the log of each attempt must contain.
    #[schemars(schema_with = "definitions::words")]
    says: String,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    cx.wait.expect_failure();
    let changes = Changes { set: with.set.clone(), ..Changes::default() };
    extra::with(cx, cx.deployed_release(&deployed)?, "fails", &changes, async |extra| {
        look(cx, &deployed.client, extra, &with).await
    })
    .await
}

async fn look(cx: &CaseContext, client: &kube::Client, extra: &DeployedRelease, with: &With) -> anyhow::Result<String> {
    let job = *extra.jobs().first().context("the release has no Job")?;
    let failed = failed(cx, extra, job).await?;
    ensure!(failed == with.reason, "Job/{job} failed with {failed} instead of {}", with.reason);
    let attempts = extra.pods();
    ensure!(attempts.len() == with.attempts, "Job/{job} had {} attempts instead of {}", attempts.len(), with.attempts);
    for pod in &attempts {
        let found = signs::of_pod(client, extra, pod).await;
        let message = || format!("an attempt of Job/{job} does not say {:?}:\n{}", with.says, signs::list(&found));
        ensure!(signs::contain(&found, &with.says), message());
    }
    Ok(format!("{failed} after {} attempts", attempts.len()))
}

/// Waits until a Job has failed; returns the reason.
async fn failed(cx: &CaseContext, extra: &DeployedRelease, name: &str) -> anyhow::Result<String> {
    let what = format!("Job/{name} failed");
    cx.wait
        .until(&extra.watch, &what, |state| {
            let job = state.jobs.get(name).ok_or("it does not exist")?;
            reason(job, "Failed").ok_or_else(|| kubernetes::objects::job_line(job))
        })
        .await
}
