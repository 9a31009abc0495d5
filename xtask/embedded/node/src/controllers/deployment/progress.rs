//! The status of a deployment: its numbers, and whether it progresses.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

use super::sets::ReplicaSets;
use super::{Rollout, conditions};
use crate::controllers::{ReconcileResult, clock, owners};

/// Returns whether all pods that existed when the status was written are of the template, and available.
pub fn is_complete(rollout: &Rollout) -> bool {
    rollout.deployment.status.as_ref().is_some_and(|status| completes(rollout, status))
}

fn completes(rollout: &Rollout, status: &DeploymentStatus) -> bool {
    let all = |count: Option<i32>| count.unwrap_or(0) == rollout.replicas;
    all(status.updated_replicas)
        && all(status.replicas)
        && all(status.available_replicas)
        && status.observed_generation >= rollout.deployment.metadata.generation
}

/// Writes the status; returns the time until the deadline.
pub fn write(rollout: &Rollout, sets: &ReplicaSets) -> ReconcileResult {
    let mut status = numbers(rollout, sets);
    let old = rollout.deployment.status.clone().unwrap_or_default();
    judge(rollout, sets, &old, &mut status);
    let all = status.conditions.get_or_insert_default();
    let failed = conditions::failure(sets.new.iter().chain(&sets.old));
    match failed {
        Some(condition) => conditions::set(all, condition),
        None => all.retain(|condition| condition.type_ != "ReplicaFailure"),
    }
    rollout.client.modify_status(&rollout.deployment, |deployment: &mut Deployment| {
        let changed = deployment.status.as_ref() != Some(&status);
        deployment.status = Some(status.clone());
        changed
    })?;
    Ok(look_again(rollout, &status))
}

fn numbers(rollout: &Rollout, sets: &ReplicaSets) -> DeploymentStatus {
    let old = rollout.deployment.status.clone().unwrap_or_default();
    let some = |count: i32| (count > 0).then_some(count);
    let sum = |of: fn(&k8s_openapi::api::apps::v1::ReplicaSetStatus) -> i32| -> i32 {
        sets.all().filter_map(|set| set.status.as_ref()).map(of).sum()
    };
    let available = sets.available();
    let mut status = DeploymentStatus {
        observed_generation: rollout.deployment.metadata.generation,
        replicas: some(sum(|s| s.replicas)),
        updated_replicas: some(sets.new.as_ref().and_then(|new| new.status.as_ref()).map_or(0, |s| s.replicas)),
        ready_replicas: some(sum(|s| s.ready_replicas.unwrap_or(0))),
        available_replicas: some(available),
        unavailable_replicas: some(sets.total() - available),
        terminating_replicas: Some(sum(|s| s.terminating_replicas.unwrap_or(0))),
        collision_count: old.collision_count,
        conditions: old.conditions,
    };
    let enough = available >= rollout.replicas - rollout.max_unavailable;
    let condition = if enough {
        conditions::new("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        let message = "Deployment does not have minimum availability.";
        conditions::new("Available", "False", "MinimumReplicasUnavailable", message)
    };
    conditions::set(status.conditions.get_or_insert_default(), condition);
    status
}

/// Sets whether the rollout is complete, progresses, or has timed out.
fn judge(rollout: &Rollout, sets: &ReplicaSets, old: &DeploymentStatus, status: &mut DeploymentStatus) {
    let paused = rollout.spec.paused == Some(true);
    let all = status.conditions.clone().unwrap_or_default();
    let known = conditions::find(&all, "Progressing");
    let over = status.replicas == status.updated_replicas && has_reason(known, "NewReplicaSetAvailable");
    if !conditions::has_deadline(rollout) || over && !paused {
        return;
    }
    let what = match &sets.new {
        Some(new) => format!("ReplicaSet \"{}\"", owners::key(new).1),
        None => format!("Deployment \"{}\"", owners::key(&rollout.deployment).1),
    };
    let condition = if paused {
        if has_reason(known, "ProgressDeadlineExceeded") {
            return;
        }
        conditions::new("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    } else if has_reason(known, "DeploymentPaused") {
        conditions::new("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    } else if completes(rollout, status) {
        let message = format!("{what} has successfully progressed.");
        conditions::new("Progressing", "True", "NewReplicaSetAvailable", &message)
    } else if gets_on(old, status) {
        let mut condition =
            conditions::new("Progressing", "True", "ReplicaSetUpdated", &format!("{what} is progressing."));
        if let Some(known) = known.filter(|known| known.status == "True") {
            condition.last_transition_time.clone_from(&known.last_transition_time);
        }
        // The deadline counts from this time, which is renewed with each step.
        status.conditions.get_or_insert_default().retain(|c| c.type_ != "Progressing");
        condition
    } else if timed_out(rollout, status) {
        let message = format!("{what} has timed out progressing.");
        conditions::new("Progressing", "False", "ProgressDeadlineExceeded", &message)
    } else {
        return;
    };
    conditions::set(status.conditions.get_or_insert_default(), condition);
}

fn has_reason(condition: Option<&k8s_openapi::api::apps::v1::DeploymentCondition>, reason: &str) -> bool {
    condition.is_some_and(|condition| condition.reason.as_deref() == Some(reason))
}

fn gets_on(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || outdated(new) < outdated(old)
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

fn timed_out(rollout: &Rollout, status: &DeploymentStatus) -> bool {
    let Some(known) = conditions::find(status.conditions.as_deref().unwrap_or_default(), "Progressing") else {
        return false;
    };
    if has_reason(Some(known), "NewReplicaSetAvailable") {
        return false;
    }
    has_reason(Some(known), "ProgressDeadlineExceeded") || left(rollout, status).is_none()
}

/// Returns what is left of the deadline, from the last step on.
fn left(rollout: &Rollout, status: &DeploymentStatus) -> Option<Duration> {
    let known = conditions::find(status.conditions.as_deref().unwrap_or_default(), "Progressing")?;
    let deadline = clock::seconds(rollout.spec.progress_deadline_seconds.unwrap_or(600));
    clock::remaining(known.last_update_time.as_ref()?, deadline)
}

fn look_again(rollout: &Rollout, status: &DeploymentStatus) -> Option<Duration> {
    let known = conditions::find(status.conditions.as_deref().unwrap_or_default(), "Progressing");
    let settled = ["NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"];
    if !conditions::has_deadline(rollout) || settled.iter().any(|reason| has_reason(known, reason)) {
        return None;
    }
    // One second more: times are truncated to seconds.
    left(rollout, status).map(|left| left + Duration::from_secs(1))
}
