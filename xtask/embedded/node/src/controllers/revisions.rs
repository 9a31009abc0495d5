//! Controller revisions: the templates that a set had, numbered in the order in which they were used.

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{hash, owners};
use crate::client::{Client, Object};
use crate::registry::DeleteOptions;
use crate::status::Status;

/// The label of a pod with the revision that it was created from.
pub const LABEL: &str = "controller-revision-hash";

const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// What a set's revisions are made from.
pub struct Template<'a> {
    /// The set's selector.
    pub selector: &'a LabelSelector,
    /// The set's pods.
    pub pods: &'a PodTemplateSpec,
    /// How often another template had the name.
    pub collisions: i32,
    /// The label of a revision with its hash.
    pub hash_label: &'static str,
}

/// A set's revisions, oldest first; the last one is that of its template.
pub struct History {
    /// All of them.
    pub all: Vec<ControllerRevision>,
    /// How often another template had the name.
    pub collisions: i32,
}

/// A StatefulSet's revisions, oldest first, and the two that its pods may have.
pub struct Revisions {
    all: Vec<ControllerRevision>,
    /// The revision of the pods before the update that is under way.
    pub current: ControllerRevision,
    /// The revision of the set's template.
    pub update: ControllerRevision,
    /// How often another template had the name.
    pub collisions: i32,
}

impl Revisions {
    /// Returns the revisions of a set; creates one for its template if it has none.
    ///
    /// # Errors
    /// If a revision can't be written.
    pub fn of(client: &Client, set: &StatefulSet) -> Result<Self, Status> {
        let Some(spec) = &set.spec else { return Err(Status::new(500, "InternalError", "a StatefulSet without spec")) };
        let collisions = set.status.as_ref().and_then(|s| s.collision_count).unwrap_or(0);
        let template = Template { selector: &spec.selector, pods: &spec.template, collisions, hash_label: HASH_LABEL };
        let History { all, collisions } = history(client, set, &template)?;
        let Some(update) = all.last().cloned() else { return Err(Status::new(500, "InternalError", "no revision")) };
        let wanted = set.status.as_ref().and_then(|s| s.current_revision.as_deref());
        let current = all.iter().find(|r| Some(name(r)) == wanted).unwrap_or(&update).clone();
        Ok(Self { all, current, update, collisions })
    }

    /// Removes unused revisions beyond the set's limit, the oldest first.
    ///
    /// # Errors
    /// If one can't be deleted.
    pub fn truncate(
        &self,
        client: &Client,
        set: &StatefulSet,
        status: &StatefulSetStatus,
        pods: &[Pod],
    ) -> Result<(), Status> {
        let limit = set.spec.as_ref().and_then(|s| s.revision_history_limit).unwrap_or(10);
        let used = |r: &ControllerRevision| {
            let by_pod = pods.iter().any(|pod| of_pod(pod) == Some(name(r)));
            let named = Some(name(r));
            by_pod || named == status.current_revision.as_deref() || named == status.update_revision.as_deref()
        };
        truncate(client, &self.all, limit, used)
    }
}

/// Removes unused revisions beyond a limit, the oldest first.
///
/// # Errors
/// If one can't be deleted.
pub fn truncate(
    client: &Client,
    all: &[ControllerRevision],
    limit: i32,
    used: impl Fn(&ControllerRevision) -> bool,
) -> Result<(), Status> {
    let idle: Vec<_> = all.iter().filter(|r| !used(r)).collect();
    let beyond = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    idle.into_iter().take(beyond).try_for_each(|revision| client.delete(revision, &DeleteOptions::default()))
}

/// Returns a revision's name.
pub fn name(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

/// Returns the name of the revision that a pod was created from.
pub fn of_pod(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(LABEL).map(String::as_str)
}

/// Returns the template of a revision.
pub fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    PodTemplateSpec::deserialize(revision.data.as_ref()?.0.pointer("/spec/template")?).ok()
}

/// Returns the revisions of a set. That of its own template comes last: the latest, an earlier one that becomes the
/// latest, or a new one.
///
/// # Errors
/// If a revision can't be written.
pub fn history<O: Object>(client: &Client, set: &O, template: &Template) -> Result<History, Status> {
    let mut all = owners::claim::<ControllerRevision, _>(client, set, template.selector, |_| true)?;
    all.sort_by_key(|r| (r.revision, name(r).to_owned()));
    let data = data_of(template.pods)?;
    let number = all.last().map_or(1, |r| r.revision + 1);
    let mut collisions = template.collisions;
    let last = all.len().wrapping_sub(1);
    let updated = match all.iter().rposition(|r| r.data.as_ref().map(|d| &d.0) == Some(&data)) {
        Some(index) if index == last => return Ok(History { all, collisions }),
        Some(index) => client.modify(&all.remove(index), |r: &mut ControllerRevision| {
            r.revision = number;
            true
        })?,
        None => create(client, set, template, (&data, number), &mut collisions)?,
    };
    all.push(updated);
    Ok(History { all, collisions })
}

fn data_of(template: &PodTemplateSpec) -> Result<Value, Status> {
    let mut template = serde_json::to_value(template).map_err(|e| Status::new(500, "InternalError", e.to_string()))?;
    template["$patch"] = "replace".into();
    Ok(json!({"spec": {"template": template}}))
}

fn create<O: Object>(
    client: &Client,
    set: &O,
    template: &Template,
    (data, number): (&Value, i64),
    collisions: &mut i32,
) -> Result<ControllerRevision, Status> {
    let (namespace, set_name) = owners::key(set);
    loop {
        let hash = hash::of_template(data, *collisions);
        let mut labels = template.pods.metadata.as_ref().and_then(|m| m.labels.clone()).unwrap_or_default();
        labels.insert(template.hash_label.to_owned(), hash.clone());
        let revision = ControllerRevision {
            metadata: ObjectMeta {
                name: Some(format!("{set_name}-{hash}")),
                namespace: Some(namespace.clone()),
                labels: Some(labels),
                owner_references: Some(vec![owners::controller_reference(set)]),
                ..ObjectMeta::default()
            },
            data: Some(RawExtension(data.clone())),
            revision: number,
        };
        match client.create(&revision) {
            Err(refused) if refused.reason == "AlreadyExists" => *collisions += 1,
            outcome => return outcome,
        }
    }
}
