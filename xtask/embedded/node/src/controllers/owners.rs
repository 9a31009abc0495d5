//! Ownership of objects: references, adoption of orphans, release of objects that no longer match.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};

use super::Key;
use crate::client::{Client, Object};
use crate::selector;
use crate::status::Status;
use crate::store::Change;

/// Returns the reference that makes `owner` the controller of an object.
pub fn controller_reference<O: Object>(owner: &O) -> OwnerReference {
    OwnerReference { controller: Some(true), block_owner_deletion: Some(true), ..reference(owner) }
}

/// Returns a plain reference to an owner.
pub fn reference<O: Object>(owner: &O) -> OwnerReference {
    let metadata = owner.metadata();
    OwnerReference {
        api_version: O::API_VERSION.to_owned(),
        kind: O::KIND.to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }
}

/// Returns the reference to an object's controller.
pub fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// Returns whether `owner` controls the object.
pub fn is_controlled_by<O: Object>(metadata: &ObjectMeta, owner: &O) -> bool {
    controller(metadata).is_some_and(|reference| Some(&reference.uid) == owner.metadata().uid.as_ref())
}

/// Returns the keys of this kind that a change of a possible dependent affects: its controller now, its controller
/// before, and, for an orphan, all that could adopt it.
pub fn keys<O: Object>(client: &Client, change: &Change) -> Vec<Key> {
    let namespace = change.object["metadata"]["namespace"].as_str().unwrap_or_default();
    let stages = [Some(&change.object), change.previous.as_ref()].into_iter().flatten();
    let references = stages.flat_map(|object| object["metadata"]["ownerReferences"].as_array().into_iter().flatten());
    let named: Vec<Key> = references
        .filter(|owner| owner["controller"] == true && owner["kind"] == O::KIND)
        .filter_map(|owner| Some((namespace.to_owned(), owner["name"].as_str()?.to_owned())))
        .collect();
    if named.is_empty() && is_orphan(&change.object) { all::<O>(client, namespace) } else { named }
}

/// Returns whether a stored object has no owner.
pub fn is_orphan(object: &serde_json::Value) -> bool {
    object["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty)
}

/// Returns the keys of all objects of a kind in a namespace.
pub fn all<O: Object>(client: &Client, namespace: &str) -> Vec<Key> {
    client.list::<O>(Some(namespace)).iter().map(|owner| key(owner)).collect()
}

/// Returns the namespace and the name of an object.
pub fn key<O: Object>(object: &O) -> Key {
    let metadata = object.metadata();
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// Returns the objects that `owner` controls and its selector matches. Matching orphans that pass `fits` are adopted;
/// objects that no longer match are released.
///
/// # Errors
/// If an adoption or a release is rejected.
pub fn claim<K: Object, O: Object>(
    client: &Client,
    owner: &O,
    selector: &LabelSelector,
    fits: impl Fn(&K) -> bool,
) -> Result<Vec<K>, Status> {
    let mut claimed = Vec::new();
    let deleting = owner.metadata().deletion_timestamp.is_some();
    for object in client.list::<K>(owner.metadata().namespace.as_deref()) {
        let metadata = object.metadata();
        let matching = selector::matches(selector, metadata.labels.as_ref()) && fits(&object);
        match controller(metadata) {
            Some(reference) if Some(&reference.uid) != owner.metadata().uid.as_ref() => {}
            Some(_) if matching => claimed.push(object),
            Some(_) if !deleting => release(client, owner, &object)?,
            None if matching && !deleting && metadata.deletion_timestamp.is_none() => {
                claimed.push(adopt(client, owner, &object)?);
            }
            _ => {}
        }
    }
    Ok(claimed)
}

fn adopt<K: Object, O: Object>(client: &Client, owner: &O, object: &K) -> Result<K, Status> {
    client.modify(object, |orphan: &mut K| {
        orphan.metadata_mut().owner_references.get_or_insert_default().push(controller_reference(owner));
        true
    })
}

fn release<K: Object, O: Object>(client: &Client, owner: &O, object: &K) -> Result<(), Status> {
    let released = client.modify(object, |kept: &mut K| {
        let references = kept.metadata_mut().owner_references.get_or_insert_default();
        references.retain(|reference| Some(&reference.uid) != owner.metadata().uid.as_ref());
        true
    });
    released.map(|_| ())
}
