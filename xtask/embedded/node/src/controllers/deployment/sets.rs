//! A deployment's replica sets: the one of its template, and those of earlier templates.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{COMPONENT, Rollout, conditions};
use crate::controllers::{events, hash, owners};
use crate::registry::DeleteOptions;
use crate::status::Status;

const HASH_LABEL: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The deployment's replicas when the set was last scaled.
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with the surge.
pub const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of a deployment that are not copied to its sets.
const OWN_ANNOTATIONS: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// The sets of one deployment.
pub struct ReplicaSets {
    /// The set of the deployment's template, once it exists.
    pub new: Option<ReplicaSet>,
    /// The others, the oldest first.
    pub old: Vec<ReplicaSet>,
}

/// Returns `spec.replicas`.
pub fn replicas(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
}

/// Returns `status.availableReplicas`.
pub fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|s| s.available_replicas).unwrap_or(0)
}

/// Returns a number in an annotation.
pub fn annotated(set: &ReplicaSet, key: &str) -> Option<i32> {
    set.metadata.annotations.as_ref()?.get(key)?.parse().ok()
}

fn revision(set: &ReplicaSet) -> i64 {
    let annotations = set.metadata.annotations.as_ref();
    annotations.and_then(|a| a.get(REVISION)).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

impl ReplicaSets {
    /// Returns the sets that the deployment owns.
    pub fn of(rollout: &Rollout) -> Result<Self, Status> {
        let selector = &rollout.spec.selector;
        let mut old = owners::claim::<ReplicaSet, Deployment>(rollout.client, &rollout.deployment, selector, |_| true)?;
        old.sort_by_key(|set| (set.metadata.creation_timestamp.clone(), revision(set), owners::key(set).1));
        let index = old.iter().position(|set| {
            let template = set.spec.as_ref().and_then(|s| s.template.clone());
            template.is_some_and(|template| without_hash(template) == rollout.spec.template)
        });
        Ok(Self { new: index.map(|index| old.remove(index)), old })
    }

    /// Returns all of them.
    pub fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(&self.new)
    }

    /// Returns the number of pods that they should have.
    pub fn total(&self) -> i32 {
        self.all().map(replicas).sum()
    }

    /// Returns the number of available pods.
    pub fn available(&self) -> i32 {
        self.all().map(available).sum()
    }

    /// Returns how large the new set, which is `size` now, may be.
    pub fn room_for_new(&self, rollout: &Rollout, size: i32) -> i32 {
        if rollout.is_recreate() {
            return rollout.replicas;
        }
        let room = rollout.replicas + rollout.max_surge - self.total();
        size + room.clamp(0, (rollout.replicas - size).max(0))
    }

    /// Creates the set of the template if it is missing, and gives it the next revision.
    pub fn ensure_new(&mut self, rollout: &mut Rollout) -> Result<(), Status> {
        let next = self.old.iter().map(revision).max().unwrap_or(0) + 1;
        let Some(new) = self.new.take() else {
            self.new = Some(self.create(rollout, next)?);
            return note_revision(rollout, next);
        };
        let number = next.max(revision(&new));
        let new = annotate(rollout, &new, number, None)?;
        if conditions::progressing(&rollout.deployment).is_none() {
            let message = format!("Found new replica set \"{}\"", owners::key(&new).1);
            conditions::note_progress(rollout, "FoundNewReplicaSet", &message)?;
        }
        self.new = Some(new);
        note_revision(rollout, number)
    }

    fn create(&self, rollout: &mut Rollout, revision: i64) -> Result<ReplicaSet, Status> {
        let size = self.room_for_new(rollout, 0);
        let set = new_set(rollout, size, revision)?;
        let created = match rollout.client.create(&set) {
            Err(refused) if refused.reason == "AlreadyExists" => return Err(collision(rollout, refused)),
            created => created?,
        };
        let name = owners::key(&created).1;
        if size > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {size}");
            let about = events::reference(&rollout.deployment);
            rollout.client.event(&about, "Normal", "ScalingReplicaSet", &message, COMPONENT);
        }
        conditions::note_progress(rollout, "NewReplicaSetCreated", &format!("Created new replica set \"{name}\""))?;
        Ok(created)
    }

    /// Scales the new set; returns whether there was anything to do.
    pub fn scale_new(&mut self, rollout: &Rollout, size: i32) -> Result<bool, Status> {
        let Some(new) = &mut self.new else { return Ok(false) };
        scale(rollout, new, size)
    }

    /// Scales one of the old sets; returns whether there was anything to do.
    pub fn scale_old(&mut self, rollout: &Rollout, index: usize, size: i32) -> Result<bool, Status> {
        scale(rollout, &mut self.old[index], size)
    }

    /// Deletes the oldest sets without pods beyond `revisionHistoryLimit`.
    pub fn clean_up(&mut self, rollout: &Rollout) -> Result<(), Status> {
        let limit = usize::try_from(rollout.spec.revision_history_limit.unwrap_or(10)).unwrap_or(0);
        let idle = |set: &&ReplicaSet| {
            let running = set.status.as_ref().map_or(0, |s| s.replicas);
            replicas(set) == 0 && running == 0 && set.metadata.deletion_timestamp.is_none()
        };
        let mut idle: Vec<&ReplicaSet> = self.old.iter().filter(idle).collect();
        idle.sort_by_key(|set| revision(set));
        let beyond = idle.len().saturating_sub(limit);
        idle.into_iter().take(beyond).try_for_each(|set| rollout.client.delete(set, &DeleteOptions::default()))
    }
}

fn without_hash(mut template: PodTemplateSpec) -> PodTemplateSpec {
    if let Some(labels) = template.metadata.as_mut().and_then(|m| m.labels.as_mut()) {
        labels.remove(HASH_LABEL);
    }
    template
}

fn new_set(rollout: &Rollout, size: i32, revision: i64) -> Result<ReplicaSet, Status> {
    let deployment = &rollout.deployment;
    let (namespace, name) = owners::key(deployment);
    let template = serde_json::to_value(&rollout.spec.template);
    let template = template.map_err(|error| Status::new(500, "InternalError", error.to_string()))?;
    let collisions = deployment.status.as_ref().and_then(|s| s.collision_count).unwrap_or(0);
    let hash = hash::of_template(&template, collisions);
    let mut template = rollout.spec.template.clone();
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let labels = labels.clone();
    let mut selector = rollout.spec.selector.clone();
    selector.match_labels.get_or_insert_default().insert(HASH_LABEL.to_owned(), hash.clone());
    Ok(ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{hash}")),
            namespace: Some(namespace),
            labels: Some(labels),
            annotations: Some(annotations(rollout, revision)),
            owner_references: Some(vec![owners::controller_reference(deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(size),
            min_ready_seconds: rollout.spec.min_ready_seconds.filter(|seconds| *seconds > 0),
            selector,
            template: Some(template),
        }),
        status: None,
    })
}

/// Handles a name that a set of another template has: the next attempt uses another hash.
fn collision(rollout: &Rollout, refused: Status) -> Status {
    let counted = rollout.client.modify_status(&rollout.deployment, |deployment: &mut Deployment| {
        let count = &mut deployment.status.get_or_insert_default().collision_count;
        *count = Some(count.unwrap_or(0) + 1);
        true
    });
    counted.err().unwrap_or(refused)
}

fn annotations(rollout: &Rollout, revision: i64) -> BTreeMap<String, String> {
    let mut annotations = rollout.deployment.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !OWN_ANNOTATIONS.contains(&key.as_str()));
    annotations.insert(REVISION.to_owned(), revision.to_string());
    annotations.insert(DESIRED.to_owned(), rollout.replicas.to_string());
    annotations.insert(MAXIMUM.to_owned(), (rollout.replicas + rollout.max_surge).to_string());
    annotations
}

/// Gives a set its annotations, and a size if one is given.
fn annotate(rollout: &Rollout, set: &ReplicaSet, revision: i64, size: Option<i32>) -> Result<ReplicaSet, Status> {
    let wanted = annotations(rollout, revision);
    rollout.client.modify(set, |set: &mut ReplicaSet| {
        let before = set.clone();
        set.metadata.annotations.get_or_insert_default().extend(wanted.clone());
        let spec = set.spec.get_or_insert_default();
        spec.min_ready_seconds = rollout.spec.min_ready_seconds.filter(|seconds| *seconds > 0);
        spec.replicas = size.or(spec.replicas);
        *set != before
    })
}

/// Records the revision in the deployment's annotations; as in a real controller, together with the status.
fn note_revision(rollout: &Rollout, revision: i64) -> Result<(), Status> {
    let noted = rollout.client.modify_through("status", &rollout.deployment, |deployment: &mut Deployment| {
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_string()) != Some(revision.to_string())
    });
    noted.map(|_| ())
}

fn scale(rollout: &Rollout, set: &mut ReplicaSet, size: i32) -> Result<bool, Status> {
    let before = replicas(set);
    let stale = annotated(set, DESIRED) != Some(rollout.replicas)
        || annotated(set, MAXIMUM) != Some(rollout.replicas + rollout.max_surge);
    if size == before && !(stale && before > 0) {
        return Ok(false);
    }
    *set = annotate(rollout, set, revision(set), Some(size))?;
    if size == before {
        return Ok(false);
    }
    let direction = if size > before { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {before} to {size}", owners::key(set).1);
    let about = events::reference(&rollout.deployment);
    rollout.client.event(&about, "Normal", "ScalingReplicaSet", &message, COMPONENT);
    Ok(true)
}
