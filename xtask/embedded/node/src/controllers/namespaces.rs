//! Empties a namespace that is being deleted, starting with its pods, and then deletes it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, Pod};
use serde_json::Value;

use super::reconcile::unless;
use super::{Controller, ControllerContext, Key, ReconcileResult, clock};
use crate::client::Client;
use crate::kinds::{self, Kind};
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::{self, Change, ChangeType};

/// Deletes the content of terminating namespaces.
pub const CONTROLLER: Controller = Controller { name: "namespace", keys, reconcile };

fn keys(_: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    match change.kind.built_in() {
        "Namespace" => vec![(String::new(), name)],
        _ if change.change == ChangeType::Deleted && !namespace.is_empty() => vec![(String::new(), namespace)],
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (_, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(namespace) = client.get::<Namespace>("", name) else { return Ok(None) };
    if namespace.metadata.deletion_timestamp.is_none() {
        return Ok(None);
    }
    let pods = content(client, name, |kind| *kind == *kinds::of::<Pod>());
    // Events are deleted last, so that the end of everything else is still recorded.
    let rest = || content(client, name, |kind| kind.built_in() != "Event");
    let mut remaining = if pods.is_empty() { rest() } else { pods };
    if remaining.is_empty() {
        remaining = content(client, name, |_| true);
    }
    for (kind, item) in &remaining {
        delete(client, kind, item)?;
    }
    let remaining = content(client, name, |_| true);
    if !remaining.is_empty() {
        write_conditions(client, &namespace, &remaining)?;
        return Ok(None);
    }
    finalize(client, &namespace)
}

/// Returns the objects in a namespace, of the requested kinds.
fn content(client: &Client, namespace: &str, wanted: impl Fn(&Kind) -> bool) -> Vec<(&'static Kind, Item)> {
    let kinds = client.kinds().into_iter().filter(|kind| kind.namespaced && wanted(kind));
    let objects = kinds.flat_map(|kind| client.list_stored(kind).into_iter().map(move |object| (kind, object)));
    let inside = objects.filter(|(_, object)| store::key(object).0 == namespace);
    let item = |object: Arc<Value>| Item {
        deleting: object["metadata"].get("deletionTimestamp").is_some(),
        finalizers: serde_json::from_value(object["metadata"]["finalizers"].clone()).unwrap_or_default(),
        object,
    };
    inside.map(|(kind, object)| (kind, item(object))).collect()
}

struct Item {
    object: Arc<Value>,
    deleting: bool,
    finalizers: Vec<String>,
}

fn delete(client: &Client, kind: &'static Kind, item: &Item) -> Result<(), Status> {
    if item.deleting {
        return Ok(());
    }
    unless("NotFound", client.delete_stored(kind, &item.object, &DeleteOptions::default()))
}

/// Removes the namespace's own finalizer, which completes its deletion.
fn finalize(client: &Client, namespace: &Namespace) -> ReconcileResult {
    let finalized = client.modify(namespace, |namespace: &mut Namespace| {
        let finalizers = &mut namespace.spec.get_or_insert_default().finalizers;
        finalizers.take().is_some_and(|f| !f.is_empty())
    });
    let gone = match finalized {
        Ok(_) => client.delete(namespace, &DeleteOptions::default()),
        other => other.map(|_| ()),
    };
    unless("NotFound", gone).map(|()| None)
}

fn write_conditions(client: &Client, namespace: &Namespace, remaining: &[(&'static Kind, Item)]) -> Result<(), Status> {
    let wanted = conditions(remaining);
    client.modify_status(namespace, |namespace: &mut Namespace| {
        let status = namespace.status.get_or_insert_default();
        status.phase = Some("Terminating".to_owned());
        let conditions = status.conditions.get_or_insert_default();
        let says = |c: &NamespaceCondition| (c.type_.clone(), c.status.clone(), c.message.clone());
        if conditions.iter().map(says).eq(wanted.iter().map(says)) {
            return false;
        }
        conditions.clone_from(&wanted);
        true
    })
}

fn conditions(remaining: &[(&'static Kind, Item)]) -> Vec<NamespaceCondition> {
    let of_kind = |kind: &Kind| remaining.iter().filter(|(other, _)| *other == kind).count();
    let mut kinds: Vec<&Kind> = remaining.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    let left = kinds.iter().map(|kind| format!("{} has {} resource instances", resource(kind), of_kind(kind)));
    let left: Vec<String> = left.collect();
    let mut finalizers: Vec<&String> = remaining.iter().flat_map(|(_, item)| &item.finalizers).collect();
    finalizers.sort();
    let held: Vec<String> = finalizers.chunk_by(|a, b| a == b).map(held).collect();
    let condition = |kind: &str, status: bool, reason: &str, message: String| NamespaceCondition {
        type_: kind.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(clock::now()),
    };
    let no = |kind, reason, message: &str| condition(kind, false, reason, message.to_owned());
    vec![
        no("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
        no(
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        no(
            "NamespaceDeletionContentFailure",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        condition(
            "NamespaceContentRemaining",
            true,
            "SomeResourcesRemain",
            format!("Some resources are remaining: {}", left.join(", ")),
        ),
        if held.is_empty() {
            no("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
        } else {
            let message = format!("Some content in the namespace has finalizers remaining: {}", held.join(", "));
            condition("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", message)
        },
    ]
}

/// Returns `pods.` or `statefulsets.apps`, as the condition names them.
fn resource(kind: &Kind) -> String {
    format!("{}.{}", kind.plural, kind.group)
}

fn held(same: &[&String]) -> String {
    format!("{} in {} resource instances", same[0], same.len())
}

#[cfg(test)]
mod tests;
