//! Final states of what makes pods, and of claims.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;

use super::Sighting;
use super::view::{self, View};
use crate::kubernetes::objects;

pub fn claim_without_class(view: &View<'_>) -> Vec<Sighting> {
    claims(view, |reason, message| {
        reason == "FailedBinding" || (reason == "ProvisioningFailed" && message.contains("not found"))
    })
}

pub fn claim_unprovisioned(view: &View<'_>) -> Vec<Sighting> {
    claims(view, |reason, message| {
        reason == "ExternalProvisioning" || (reason == "ProvisioningFailed" && !message.contains("not found"))
    })
}

fn claims(view: &View<'_>, matches: fn(&str, &str) -> bool) -> Vec<Sighting> {
    let reasons = ["FailedBinding", "ProvisioningFailed", "ExternalProvisioning"];
    let sight = |claim: &PersistentVolumeClaim| {
        let last = view.last_event(claim, "PersistentVolumeClaim", &reasons)?;
        let message = last.message.as_deref().unwrap_or("");
        let pending = objects::claim_line(claim) == "Pending" && matches(last.reason.as_deref()?, message);
        let object = format!("PersistentVolumeClaim/{}", claim.name_any());
        let sentence = format!("{object} is never provisioned: {message}");
        pending.then(|| Sighting::of(object, sentence))
    };
    view.state.claims.values().filter_map(sight).collect()
}

pub fn refused(view: &View<'_>) -> Vec<Sighting> {
    lacking(view, is_refused)
}

pub fn over_quota(view: &View<'_>) -> Vec<Sighting> {
    lacking(view, is_over_quota)
}

pub fn uncreated(view: &View<'_>) -> Vec<Sighting> {
    lacking(view, |message| !is_refused(message) && !is_over_quota(message))
}

fn is_refused(message: &str) -> bool {
    message.contains("violates PodSecurity") || message.contains("denied the request")
}

fn is_over_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

/// What lacks pods because they can't be created.
fn lacking(view: &View<'_>, matches: fn(&str) -> bool) -> Vec<Sighting> {
    let state = view.state;
    let fewer = |there: Option<i32>, wanted: Option<i32>| there.unwrap_or(0) < wanted.unwrap_or(1);
    let sets = state.stateful_sets.values();
    let sets = sets.filter(|s| fewer(s.status.as_ref().map(|s| s.replicas), s.spec.as_ref().and_then(|s| s.replicas)));
    let replica_sets = state.replica_sets.values();
    let replica_sets =
        replica_sets.filter(|s| fewer(s.status.as_ref().map(|s| s.replicas), s.spec.as_ref().and_then(|s| s.replicas)));
    let jobs = view.jobs().filter(|job| {
        let status = job.status.clone().unwrap_or_default();
        status.active.unwrap_or(0) == 0 && status.completion_time.is_none()
    });
    let sets = sets.filter_map(|set| uncreatable(view, set, "StatefulSet", matches));
    let replica_sets = replica_sets.filter_map(|set| uncreatable(view, set, "ReplicaSet", matches));
    sets.chain(replica_sets).chain(jobs.filter_map(|job| uncreatable(view, job, "Job", matches))).collect()
}

fn uncreatable(view: &View<'_>, owner: &impl ResourceExt, kind: &str, matches: fn(&str) -> bool) -> Option<Sighting> {
    // Once a pod could be made after all, the refusal is history.
    let last = view.last_event(owner, kind, &["FailedCreate", "SuccessfulCreate"])?;
    let message = last.message.as_deref().unwrap_or("");
    let object = format!("{kind}/{}", owner.name_any());
    let sentence = format!("{object} may not create its pods: {message}");
    (last.reason.as_deref() == Some("FailedCreate") && matches(message)).then(|| Sighting::of(object, sentence))
}

pub fn failed_jobs(view: &View<'_>) -> Vec<Sighting> {
    let jobs = view.jobs().filter(|job| !view::is_hook(*job));
    jobs.filter_map(|job| failed_job(view, job, &format!("Job/{} failed", job.name_any()))).collect()
}

pub fn failed_hooks(view: &View<'_>) -> Vec<Sighting> {
    let jobs = view.jobs().filter_map(|job| failed_job(view, job, &hook_failed(job, "Job")?));
    let pods = view.pods().filter_map(|pod| {
        let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Failed"))?;
        let line = objects::pod_line(pod);
        let why = status.message.as_deref().unwrap_or(line.trim_start_matches("Failed, "));
        let sentence = format!("{}: {why}", hook_failed(pod, "Pod")?);
        Some(shown_by(Sighting::of(format!("Pod/{}", pod.name_any()), sentence), Some(pod)))
    });
    jobs.chain(pods).collect()
}

/// `hook Job/migrate (pre-install) failed`; none where it is no hook.
fn hook_failed(object: &impl ResourceExt, kind: &str) -> Option<String> {
    let when = object.annotations().get("helm.sh/hook")?;
    Some(format!("hook {kind}/{} ({when}) failed", object.name_any()))
}

fn failed_job(view: &View<'_>, job: &Job, failed: &str) -> Option<Sighting> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    // The decision comes first, and `Failed` once its pods have ended.
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
        // What is said of an earlier spec says nothing of this one.
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

/// With the pod whose events and log say why, and the container that is to blame.
fn shown_by(sighting: Sighting, pod: Option<&Pod>) -> Sighting {
    let blamed = pod.and_then(|pod| objects::containers(pod).find(|status| !status.ready));
    Sighting { pod: pod.map(ResourceExt::name_any), container: blamed.map(|status| status.name.clone()), ..sighting }
}
