//! `job_expires`: a finished Job and its pods are deleted after the Job's time to live.

use super::job_completes;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use kubernetes::objects;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "job_expires",
        summary: "the TTL removes the Job and its pods",
        needs: &[&job_completes::CASE.kind],
        takes_release: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let deployed_release = cx.deployed_release(&deployed)?;
    let jobs = deployed_release.jobs();
    anyhow::ensure!(!jobs.is_empty(), "release {} has no Job", deployed_release.release.key());
    let what = format!("Job/{} and its pods gone", jobs.join(", Job/"));
    cx.wait
        .until(&deployed_release.watch, &what, |state| {
            let left = jobs.iter().filter_map(|name| Some((name, state.jobs.get(*name)?)));
            let mut left: Vec<_> = left.map(|(name, job)| format!("Job/{name} {}", objects::job_line(job))).collect();
            left.extend(jobs.iter().flat_map(|name| state.pods_of_job(name)).map(objects::pod_line));
            if left.is_empty() { Ok(()) } else { Err(left.join("; ")) }
        })
        .await?;
    Ok(String::new())
}
