//! The Jobs of a release: whether all are complete, and why one failed.

use std::collections::BTreeSet;

use anyhow::bail;
use k8s_openapi::api::batch::v1::Job;

use super::context::CaseContext;
use super::running_image;
use crate::deployed_release::DeployedRelease;
use kubernetes::objects;
use kubernetes::watch::State;

/// Waits until every Job of a release is complete. A Job that is deleted before it was seen to complete counts as
/// failed.
///
/// # Errors
/// If a Job fails or is deleted, if there is none, or if one ran an image other than the loaded one.
pub async fn completed(cx: &CaseContext, deployed_release: &DeployedRelease) -> anyhow::Result<()> {
    let jobs = deployed_release.jobs();
    anyhow::ensure!(!jobs.is_empty(), "release {} has no Job", deployed_release.release.key());
    let what = format!("Job/{} complete", jobs.join(", Job/"));
    let mut seen = BTreeSet::new();
    let gone = cx
        .wait
        .until(&deployed_release.watch, &what, |state| {
            gone(state, &jobs, &mut seen).map_or_else(|| all_complete(state, &jobs).map(|()| None), |job| Ok(Some(job)))
        })
        .await?;
    match gone {
        Some(job) => bail!("Job/{job} was deleted before it was seen to complete"),
        None => running_image::of_pods(cx, &deployed_release.pods()).await,
    }
}

/// Returns a Job that was deleted.
fn gone<'a>(state: &State, jobs: &[&'a str], seen: &mut BTreeSet<&'a str>) -> Option<&'a str> {
    seen.extend(jobs.iter().filter(|job| state.jobs.contains_key(**job)));
    seen.iter().find(|job| !state.jobs.contains_key(**job)).copied()
}

fn all_complete(state: &State, jobs: &[&str]) -> Result<(), String> {
    let open = jobs.iter().filter_map(|name| match state.jobs.get(*name) {
        None => Some(format!("Job/{name} does not exist")),
        Some(job) if has_condition(job, "Complete") => None,
        Some(job) => Some(format!("Job/{name} {}", objects::job_line(job))),
    });
    let open: Vec<_> = open.collect();
    if open.is_empty() { Ok(()) } else { Err(open.join("; ")) }
}

/// Whether a Job's condition is true.
pub fn has_condition(job: &Job, condition: &str) -> bool {
    reason(job, condition).is_some()
}

/// Returns the reason of a Job's condition, if the condition is true.
pub fn reason(job: &Job, condition: &str) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| one.type_ == condition && one.status == "True")?;
    Some(found.reason.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_job_that_was_seen_counts_as_deleted() {
        let with = |jobs: &[&str]| State {
            jobs: jobs.iter().map(|job| ((*job).to_owned(), Job::default())).collect(),
            ..State::default()
        };
        let (jobs, mut seen) = (["one", "two"], BTreeSet::new());
        assert_eq!(gone(&with(&[]), &jobs, &mut seen), None, "not seen yet");
        assert_eq!(gone(&with(&["one", "other"]), &jobs, &mut seen), None);
        assert_eq!(gone(&with(&["two"]), &jobs, &mut seen), Some("one"));
    }
}
