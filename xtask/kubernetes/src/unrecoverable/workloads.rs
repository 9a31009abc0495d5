//! Unrecoverable states of workloads.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Sighting;
use super::view::{self, View};
use crate::objects;

pub fn refused(view: &View<'_>) -> Vec<Sighting> {
    lacking_pods(view, is_refused)
}

pub fn over_quota(view: &View<'_>) -> Vec<Sighting> {
    lacking_pods(view, is_over_quota)
}

pub fn uncreated(view: &View<'_>) -> Vec<Sighting> {
    lacking_pods(view, |message| !is_refused(message) && !is_over_quota(message))
}

fn is_refused(message: &str) -> bool {
    message.contains("violates PodSecurity") || message.contains("denied the request")
}

fn is_over_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

/// Returns the workloads that lack pods because these can't be created.
fn lacking_pods(view: &View<'_>, matches: fn(&str) -> bool) -> Vec<Sighting> {
    let state = view.state;
    let sets = state.stateful_sets.values().filter_map(|set| {
        let (spec, status) = (set.spec.as_ref(), set.status.as_ref());
        let counts = (status.map(|s| s.replicas), spec.and_then(|s| s.replicas));
        let observed = status.and_then(|status| status.observed_generation);
        lacks(counts, (observed, set)).then(|| uncreatable(view, set, "StatefulSet", matches))?
    });
    let replica_sets = state.replica_sets.values().filter_map(|set| {
        let (spec, status) = (set.spec.as_ref(), set.status.as_ref());
        let counts = (status.map(|s| s.replicas), spec.and_then(|s| s.replicas));
        let observed = status.and_then(|status| status.observed_generation);
        lacks(counts, (observed, set)).then(|| uncreatable(view, set, "ReplicaSet", matches))?
    });
    let daemon_sets = state.daemon_sets.values().filter_map(|set| {
        let status = set.status.as_ref();
        let counts = (status.map(|s| s.current_number_scheduled), status.map(|s| s.desired_number_scheduled));
        let observed = status.and_then(|status| status.observed_generation);
        lacks(counts, (observed, set)).then(|| uncreatable(view, set, "DaemonSet", matches))?
    });
    let jobs = view.jobs().filter(|job| {
        let status = job.status.clone().unwrap_or_default();
        status.active.unwrap_or(0) == 0 && status.completion_time.is_none()
    });
    let jobs = jobs.filter_map(|job| uncreatable(view, job, "Job", matches));
    sets.chain(replica_sets).chain(daemon_sets).chain(jobs).collect()
}

/// Returns whether there are fewer pods than wanted, according to a status for the current spec. A status for an earlier
/// spec doesn't count.
fn lacks((there, wanted): (Option<i32>, Option<i32>), (observed, object): (Option<i64>, &impl ResourceExt)) -> bool {
    let is_current = observed.is_none() || observed == object.meta().generation;
    is_current && there.unwrap_or(0) < wanted.unwrap_or(1)
}

fn uncreatable(view: &View<'_>, owner: &impl ResourceExt, kind: &str, matches: fn(&str) -> bool) -> Option<Sighting> {
    // A refusal no longer counts once a pod was created.
    let last = view.last_event(owner, kind, &["FailedCreate", "SuccessfulCreate"])?;
    let message = last.message.as_deref().unwrap_or("");
    let object = format!("{kind}/{}", owner.name_any());
    let sentence = format!("{object} can't create its pods: {}", refusal(message));
    (last.reason.as_deref() == Some("FailedCreate") && matches(message)).then(|| Sighting::of(object, sentence))
}

/// Returns the reason in the message of a `FailedCreate` event: `Create Pod web-0 in StatefulSet web failed error: pods
/// "web-0" is forbidden: exceeded quota`.
fn refusal(message: &str) -> &str {
    let after = |text, who: &str, mark| {
        let (before, after) = str::split_once(text, mark)?;
        before.starts_with(who).then_some(after)
    };
    let reason = message.strip_prefix("Error creating: ").unwrap_or(message);
    let reason = after(reason, "Create Pod ", " failed error: ").unwrap_or(reason);
    after(reason, "pods \"", " is forbidden: ").unwrap_or(reason)
}

pub fn failed_jobs(view: &View<'_>) -> Vec<Sighting> {
    let jobs = view.jobs().filter(|job| !view::is_hook(*job) && !was_followed(view, job));
    jobs.filter_map(|job| failed_job(view, job, &format!("Job/{} failed", job.name_any()))).collect()
}

/// Returns whether its CronJob has created another Job since, which counts instead.
fn was_followed(view: &View<'_>, job: &Job) -> bool {
    let Some(cron) = objects::controller(job, "CronJob") else { return false };
    let made = |job: &Job| job.creation_timestamp().map(|time| time.0);
    view.jobs().any(|other| objects::controller(other, "CronJob") == Some(cron) && made(other) > made(job))
}

pub fn failed_hooks(view: &View<'_>) -> Vec<Sighting> {
    let jobs = view.jobs().filter_map(|job| failed_job(view, job, &hook_failed(job, "Job")?));
    let pods = view.pods().filter_map(|pod| {
        let sentence = format!("{}: {}", hook_failed(pod, "Pod")?, objects::failure(pod)?);
        Some(shown_by(Sighting::of(format!("Pod/{}", pod.name_any()), sentence), Some(pod)))
    });
    jobs.chain(pods).collect()
}

/// Returns `hook Job/migrate (pre-install) failed`; none if it is not a hook.
fn hook_failed(object: &impl ResourceExt, kind: &str) -> Option<String> {
    let when = object.annotations().get("helm.sh/hook")?;
    Some(format!("hook {kind}/{} ({when}) failed", object.name_any()))
}

fn failed_job(view: &View<'_>, job: &Job, failed: &str) -> Option<Sighting> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    // `FailureTarget` is set first, and `Failed` once its pods have ended.
    let decided = |c: &&JobCondition| matches!(c.type_.as_str(), "Failed" | "FailureTarget") && c.status == "True";
    let condition = conditions.iter().find(decided)?;
    let why = [condition.reason.as_deref(), condition.message.as_deref()].into_iter().flatten();
    let why = why.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
    let pods = view.state.pods_of_job(&job.name_any());
    let last = pods.into_iter().rfind(|pod| objects::is_failed(pod));
    let sentence = format!("{failed}: {}", if why.is_empty() { "no reason given" } else { &why });
    Some(shown_by(Sighting::of(format!("Job/{}", job.name_any()), sentence), last))
}

pub fn stuck_rollout(view: &View<'_>) -> Vec<Sighting> {
    let sight = |deployment: &Deployment| {
        let status = deployment.status.as_ref()?;
        let condition = status.conditions.as_ref()?.iter().find(|c| c.type_ == "Progressing")?;
        let stuck = condition.status == "False" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded");
        // A status for an earlier spec doesn't count.
        if !stuck || status.observed_generation != deployment.metadata.generation {
            return None;
        }
        let name = deployment.name_any();
        let deadline = deployment.spec.as_ref().and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600);
        let unready = view.state.pods_of_deployment(&name).into_iter().rfind(|pod| !objects::is_ready(pod));
        let last = unready.map(|pod| format!("; Pod/{}: {}", pod.name_any(), objects::pod_line(pod)));
        let sentence = format!(
            "Deployment/{name} made no progress for {deadline} s: {}{}",
            condition.message.as_deref().unwrap_or("no reason given").trim_end_matches('.'),
            last.unwrap_or_default()
        );
        Some(shown_by(Sighting::of(format!("Deployment/{name}"), sentence), unready))
    };
    view.state.deployments.values().filter_map(sight).collect()
}

/// Adds the pod whose events and log show the cause, and the failed container.
fn shown_by(sighting: Sighting, pod: Option<&Pod>) -> Sighting {
    let failed = pod.and_then(|pod| objects::containers(pod).find(|status| !status.ready));
    Sighting { pod: pod.map(ResourceExt::name_any), container: failed.map(|status| status.name.clone()), ..sighting }
}
