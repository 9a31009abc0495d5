//! Properties of objects: readiness, ordinals, owners, one-line statuses.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStatus, Event, PersistentVolumeClaim, Pod, PodCondition,
};
use kube::ResourceExt;

/// Returns whether the pod's `Ready` condition is true and it is not being deleted.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True") && pod.metadata.deletion_timestamp.is_none()
}

/// Returns the name of the controller that owns the object, if it is of this kind.
pub fn controller<'a>(object: &'a impl ResourceExt, kind: &str) -> Option<&'a str> {
    let owner = object.owner_references().iter().find(|owner| owner.controller == Some(true))?;
    (owner.kind == kind).then_some(owner.name.as_str())
}

/// Returns the node to which the pod is assigned.
pub fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

/// Returns whether the pod has failed.
pub fn is_failed(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Failed"))
}

/// Returns whether all of the pod's containers have terminated for good, for example after an eviction.
pub fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

/// Returns why a pod failed; none if it has not.
pub fn failure(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref().filter(|_| is_failed(pod))?;
    let line = pod_line(pod);
    Some(status.message.clone().unwrap_or_else(|| line.trim_start_matches("Failed, ").to_owned()))
}

/// Returns the number at the end of a pod's name.
pub fn ordinal(name: &str) -> Option<u32> {
    name.rsplit('-').next()?.parse().ok()
}

/// Returns the pod's IP, once it has one.
pub fn ip(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref().filter(|ip| !ip.is_empty())
}

/// Returns the statuses of all containers, init containers first.
pub fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    init_containers(pod).chain(main_containers(pod))
}

/// Returns the statuses of init containers.
pub fn init_containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.as_ref().and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten()
}

/// Returns the statuses of all containers but init containers.
pub fn main_containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()).into_iter().flatten()
}

/// Returns the total number of its containers' restarts.
pub fn restarts(pod: &Pod) -> i32 {
    main_containers(pod).map(|status| status.restart_count).sum()
}

/// Returns a pod's status on one line: `Running, ready, web: restarts=1`, `Pending, web: ImagePullBackOff`.
pub fn pod_line(pod: &Pod) -> String {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let mut words = vec![phase.to_owned()];
    if is_ready(pod) {
        words.push("ready".to_owned());
    }
    if pod.metadata.deletion_timestamp.is_some() {
        words.push("terminating".to_owned());
    }
    words.extend(init_containers(pod).filter_map(|status| container_line(status, "running")));
    words.extend(main_containers(pod).filter_map(|status| container_line(status, "not ready")));
    words.join(", ")
}

/// Returns the container's name, followed by its [`container_words`].
fn container_line(status: &ContainerStatus, unready: &str) -> Option<String> {
    container_words(status, unready).map(|words| format!("{}: {words}", status.name))
}

/// Returns a container's status: none if it is ready or completed, `unready` if it is running but not ready.
pub fn container_words(status: &ContainerStatus, unready: &str) -> Option<String> {
    let state = status.state.as_ref()?;
    let state = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => waiting.reason.clone().unwrap_or_else(|| "waiting".to_owned()),
        (_, Some(ended)) if ended.exit_code != 0 => {
            format!("{} exit code {}", ended.reason.as_deref().unwrap_or("terminated"), ended.exit_code)
        }
        (None, None) if state.running.is_some() && !status.ready => unready.to_owned(),
        _ => String::new(),
    };
    let restarts = (status.restart_count > 0).then(|| format!("restarts={}", status.restart_count));
    let words: Vec<_> = [Some(state), restarts].into_iter().flatten().filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Returns how a container ended: `exit code 1`, `exit code 137 (OOMKilled)`.
pub fn exit(ended: &ContainerStateTerminated) -> String {
    // "Error" and "Completed" say no more than the exit code.
    let reason = ended.reason.as_deref().filter(|reason| !matches!(*reason, "Error" | "Completed"));
    format!("exit code {}{}", ended.exit_code, reason.map(|reason| format!(" ({reason})")).unwrap_or_default())
}

/// Returns the status of a `StatefulSet`: `2/3 ready, 3/3 updated`.
pub fn stateful_set_line(set: &StatefulSet) -> String {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = set.status.clone().unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or(0);
    format!("{ready}/{wanted} ready, {}/{wanted} updated", status.updated_replicas.unwrap_or(0))
}

/// Returns the status of a `Deployment`: `1/2 ready, 2/2 updated, 2 available`, and why it makes no progress.
pub fn deployment_line(deployment: &Deployment) -> String {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or(0);
    let conditions = status.conditions.into_iter().flatten();
    let trouble = |c: &k8s_openapi::api::apps::v1::DeploymentCondition| match c.type_.as_str() {
        "Progressing" => c.status == "False",
        "ReplicaFailure" => c.status == "True",
        _ => false,
    };
    let why = conditions.filter(trouble).filter_map(|c| c.reason).map(|reason| format!(", {reason}"));
    let (ready, updated) = (count(status.ready_replicas), count(status.updated_replicas));
    let available = count(status.available_replicas);
    format!("{ready}/{wanted} ready, {updated}/{wanted} updated, {available} available{}", why.collect::<String>())
}

/// Returns the status of a `ReplicaSet`: `1/2 ready`.
pub fn replica_set_line(set: &ReplicaSet) -> String {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    format!("{}/{wanted} ready", set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0))
}

/// Returns the status of a `DaemonSet`: `1/2 ready, 2/2 updated`.
pub fn daemon_set_line(set: &DaemonSet) -> String {
    let status = set.status.clone().unwrap_or_default();
    let (wanted, updated) = (status.desired_number_scheduled, status.updated_number_scheduled.unwrap_or(0));
    format!("{}/{wanted} ready, {updated}/{wanted} updated", status.number_ready)
}

/// Returns the phase of a claim.
pub fn claim_line(claim: &PersistentVolumeClaim) -> String {
    claim.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_else(|| "Pending".to_owned())
}

/// Returns the status of a job.
pub fn job_line(job: &Job) -> String {
    let status = job.status.clone().unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or(0);
    let decided = status.conditions.iter().flatten().rfind(|c| c.status == "True" && c.reason.is_some());
    let why = decided.and_then(|c| c.reason.as_deref()).map(|reason| format!(", {reason}")).unwrap_or_default();
    let (active, succeeded, failed) = (count(status.active), count(status.succeeded), count(status.failed));
    format!("{active} active, {succeeded} succeeded, {failed} failed{why}")
}

/// Returns an event on one line: `Unhealthy x3: Readiness probe failed`.
pub fn event_line(event: &Event) -> String {
    let reason = event.reason.as_deref().unwrap_or("");
    let count = event.count.or(event.series.as_ref().and_then(|series| series.count)).filter(|count| *count > 1);
    let times = count.map(|count| format!(" x{count}")).unwrap_or_default();
    format!("{reason}{times}: {}", event.message.as_deref().unwrap_or("").trim())
}

/// Returns when an event last occurred, in seconds since 1970. Events of the newer API, for example the scheduler's, have
/// no `lastTimestamp`.
pub fn last_seen_s(event: &Event) -> Option<i64> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let times = [
        series.map(|time| time.0.as_second()),
        event.last_timestamp.as_ref().map(|time| time.0.as_second()),
        event.event_time.as_ref().map(|time| time.0.as_second()),
    ];
    times.into_iter().flatten().max()
}

/// Returns the condition of a pod with this type.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == type_)
}

/// Returns the object of an event: `Pod/caesium-0`.
pub fn involved(event: &Event) -> String {
    let object = &event.involved_object;
    format!("{}/{}", object.kind.as_deref().unwrap_or(""), object.name.as_deref().unwrap_or(""))
}
