//! The conditions of deployments.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};

use super::Rollout;
use crate::controllers::clock;
use crate::status::Status;

/// Returns the condition `Progressing`.
pub fn progressing(deployment: &Deployment) -> Option<&DeploymentCondition> {
    find(deployment.status.as_ref()?.conditions.as_deref()?, "Progressing")
}

/// Returns the condition of this type.
pub fn find<'a>(conditions: &'a [DeploymentCondition], kind: &str) -> Option<&'a DeploymentCondition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Returns a condition that begins now.
pub fn new(kind: &str, status: &str, reason: &str, message: &str) -> DeploymentCondition {
    DeploymentCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_update_time: Some(clock::now()),
        last_transition_time: Some(clock::now()),
    }
}

/// Appends a condition, unless there is already one with the same status and reason.
pub fn set(conditions: &mut Vec<DeploymentCondition>, mut condition: DeploymentCondition) {
    if let Some(known) = find(conditions, &condition.type_).filter(|known| known.status == condition.status) {
        if known.reason == condition.reason {
            return;
        }
        condition.last_transition_time.clone_from(&known.last_transition_time);
    }
    conditions.retain(|known| known.type_ != condition.type_);
    conditions.push(condition);
}

/// Records at once that there is a new set, before the rest of the status is known.
pub fn note_progress(rollout: &mut Rollout, reason: &str, message: &str) -> Result<(), Status> {
    if !has_deadline(rollout) {
        return Ok(());
    }
    rollout.deployment =
        rollout.client.modify_through("status", &rollout.deployment, |deployment: &mut Deployment| {
            let conditions = deployment.status.get_or_insert_default().conditions.get_or_insert_default();
            let before = conditions.clone();
            set(conditions, new("Progressing", "True", reason, message));
            *conditions != before
        })?;
    Ok(())
}

/// Returns whether progress is watched at all.
pub fn has_deadline(rollout: &Rollout) -> bool {
    rollout.spec.progress_deadline_seconds != Some(i32::MAX)
}

/// Returns why a set could not create its pods, as the deployment reports it.
pub fn failure<'a>(sets: impl Iterator<Item = &'a ReplicaSet>) -> Option<DeploymentCondition> {
    let conditions = sets.filter_map(|set| set.status.as_ref()?.conditions.as_ref()).flatten();
    let failed = conditions.into_iter().find(|condition| condition.type_ == "ReplicaFailure")?;
    Some(DeploymentCondition {
        type_: "ReplicaFailure".to_owned(),
        status: failed.status.clone(),
        reason: failed.reason.clone(),
        message: failed.message.clone(),
        last_transition_time: failed.last_transition_time.clone(),
        last_update_time: failed.last_transition_time.clone(),
    })
}
