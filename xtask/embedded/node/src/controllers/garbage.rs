//! The garbage collector: deletes an object once all of its owners are gone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::reconcile::unless;
use super::{Controller, ControllerContext, Key, ReconcileResult};
use crate::client::Client;
use crate::kinds::Kind;
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::{Change, ChangeType};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Sweeps whenever an owner is deleted, or an object with an owner appears.
pub const CONTROLLER: Controller = Controller { name: "garbage-collector", keys, reconcile };

type Item = (&'static Kind, Arc<Value>);

/// Returns a single key: a sweep looks at everything, and is rare.
fn keys(_: &Client, change: &Change) -> Vec<Key> {
    let owned = change.object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    let waits = deleting(&change.object) && (has(&change.object, FOREGROUND) || has(&change.object, ORPHAN));
    let concerns = match change.change {
        ChangeType::Added => owned,
        ChangeType::Modified => waits,
        ChangeType::Deleted => change.kind.built_in() != "Event",
    };
    if concerns { vec![Key::default()] } else { Vec::new() }
}

fn reconcile(context: &ControllerContext, _: &Key) -> ReconcileResult {
    let client = &context.client;
    let all = everything(client);
    // A second pass: the first may have missed an owner that appeared meanwhile, but not its dependents.
    let owners = everything(client);
    let by_uid: HashMap<&str, &Item> = owners.iter().map(|item| (uid(&item.1), item)).collect();
    for item in &all {
        orphan_dependents(client, item, &all)?;
        collect(client, item, &by_uid, &all)?;
    }
    for item in &all {
        finish_foreground(client, item)?;
    }
    Ok(None)
}

fn everything(client: &Client) -> Vec<Item> {
    let kinds = client.kinds().into_iter();
    kinds.flat_map(|kind| client.list_stored(kind).into_iter().map(move |object| (kind, object))).collect()
}

/// Removes an owner that is deleted with `orphan` from its dependents, then finishes its deletion.
fn orphan_dependents(client: &Client, (kind, owner): &Item, all: &[Item]) -> Result<(), Status> {
    if !deleting(owner) || !has(owner, ORPHAN) {
        return Ok(());
    }
    for (kind, dependent) in all.iter().filter(|(_, object)| refers_to(object, uid(owner))) {
        drop_owners(client, kind, dependent, &HashSet::from([uid(owner)]))?;
    }
    remove_finalizer(client, kind, owner, ORPHAN)
}

/// Deletes an object that has owners, none of which will stay.
fn collect(client: &Client, item: &Item, by_uid: &HashMap<&str, &Item>, all: &[Item]) -> Result<(), Status> {
    let (kind, object) = item;
    let references = owners(object);
    if references.is_empty() || deleting(object) {
        return Ok(());
    }
    let mut dangling = HashSet::new();
    let mut waiting = HashSet::new();
    for owner in references {
        let owner_uid = owner["uid"].as_str().unwrap_or_default();
        match by_uid.get(owner_uid) {
            None => dangling.insert(owner_uid),
            Some((_, stored)) if deleting(stored) && has(stored, FOREGROUND) => waiting.insert(owner_uid),
            Some(_) => continue,
        };
    }
    if dangling.is_empty() && waiting.is_empty() {
        return Ok(());
    }
    if dangling.len() + waiting.len() < references.len() {
        return drop_owners(client, kind, object, &dangling.union(&waiting).copied().collect());
    }
    let has_dependents = all.iter().any(|(_, other)| refers_to(other, uid(object)));
    let policy = if !waiting.is_empty() && has_dependents { "Foreground" } else { "Background" };
    let options = DeleteOptions { propagation_policy: Some(policy.to_owned()), ..DeleteOptions::default() };
    unless("NotFound", client.delete_stored(kind, object, &options))
}

/// Finishes the deletion of an owner whose blocking dependents are gone.
fn finish_foreground(client: &Client, (kind, owner): &Item) -> Result<(), Status> {
    if !deleting(owner) || !has(owner, FOREGROUND) {
        return Ok(());
    }
    let blocks = |object: &Value| {
        owners(object).iter().any(|o| o["uid"] == owner["metadata"]["uid"] && o["blockOwnerDeletion"] == true)
    };
    let blocked = client.kinds().into_iter().flat_map(|kind| client.list_stored(kind)).any(|object| blocks(&object));
    if blocked { Ok(()) } else { remove_finalizer(client, kind, owner, FOREGROUND) }
}

fn drop_owners(client: &Client, kind: &'static Kind, object: &Value, gone: &HashSet<&str>) -> Result<(), Status> {
    let changed = client.modify_stored(kind, object, |stored| {
        let Some(references) = stored["metadata"]["ownerReferences"].as_array_mut() else { return false };
        let before = references.len();
        references.retain(|owner| owner["uid"].as_str().is_none_or(|uid| !gone.contains(uid)));
        references.len() != before
    });
    unless("NotFound", changed)
}

fn remove_finalizer(client: &Client, kind: &'static Kind, object: &Value, finalizer: &str) -> Result<(), Status> {
    let changed = client.modify_stored(kind, object, |stored| {
        let Some(finalizers) = stored["metadata"]["finalizers"].as_array_mut() else { return false };
        let before = finalizers.len();
        finalizers.retain(|f| f != finalizer);
        finalizers.len() != before
    });
    unless("NotFound", changed)
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn refers_to(object: &Value, uid: &str) -> bool {
    owners(object).iter().any(|owner| owner["uid"] == uid)
}

fn deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

fn has(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| all.iter().any(|f| f == finalizer))
}

#[cfg(test)]
mod tests;
