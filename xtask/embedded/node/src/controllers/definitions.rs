//! `CustomResourceDefinition`s: which names they get, when their kinds are served, and the end of their instances.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use super::reconcile::{touches, unless};
use super::{Controller, ControllerContext, Key, ReconcileResult};
use crate::client::Client;
use crate::kinds;
use crate::registry::custom::definition::{self, FINALIZER};
use crate::registry::value::{items, text};
use crate::registry::{DeleteOptions, meta};
use crate::status::Status;
use crate::store::{self, Change, ChangeType};

/// Accepts names, establishes kinds, and deletes the instances of a definition that is being deleted.
pub const CONTROLLER: Controller = Controller { name: "crd", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    let key = |name: &str| (String::new(), name.to_owned());
    match change.kind.built_in() {
        // A name that one definition gives up may be what another one waits for.
        "CustomResourceDefinition" if touches(change, &["/status/acceptedNames"]) => {
            let group = &change.object["spec"]["group"];
            let all = stored(client).into_iter().filter(|other| other["spec"]["group"] == *group);
            all.map(|other| key(&store::key(&other).1)).collect()
        }
        "CustomResourceDefinition" => vec![key(&store::key(&change.object).1)],
        "" if change.change == ChangeType::Deleted => vec![key(&change.kind.qualified_plural())],
        _ => Vec::new(),
    }
}

fn stored(client: &Client) -> Vec<Arc<Value>> {
    client.list_stored(kinds::of::<CustomResourceDefinition>())
}

fn reconcile(context: &ControllerContext, (_, name): &Key) -> ReconcileResult {
    let client = &context.client.of("kube-apiserver");
    let all = stored(client);
    let Some(definition) = all.iter().find(|definition| store::key(definition).1 == *name) else { return Ok(None) };
    let done =
        if meta::is_deleting(definition) { finish(client, definition) } else { accept(client, definition, &all) };
    unless("NotFound", done).map(|()| None)
}

/// Writes the status of a definition if `change` changes it.
fn write(client: &Client, seen: &Value, change: impl Fn(&mut Value)) -> Result<(), Status> {
    client.modify_stored_through("status", kinds::of::<CustomResourceDefinition>(), seen, |stored| {
        let before = stored.clone();
        change(stored);
        *stored != before
    })
}

/// Gives a definition the names that no other one of its group has, and serves its kinds once it has all of them.
fn accept(client: &Client, definition: &Value, all: &[Arc<Value>]) -> Result<(), Status> {
    let others = all.iter().filter(|other| other["spec"]["group"] == definition["spec"]["group"]);
    let others = others.filter(|other| other["metadata"]["uid"] != definition["metadata"]["uid"]);
    let others: Vec<&Value> = others.map(|other| &other["status"]["acceptedNames"]).collect();
    let (accepted, refused) = accepted_names(definition, &others);
    write(client, definition, |stored| {
        stored["status"]["acceptedNames"] = accepted.clone();
        let Some((reason, message)) = &refused else {
            definition::set_condition(stored, "NamesAccepted", true, ("NoConflicts", "no conflicts found"));
            let why = ("InitialNamesAccepted", "the initial names have been accepted");
            return definition::set_condition(stored, "Established", true, why);
        };
        definition::set_condition(stored, "NamesAccepted", false, (reason, message));
        if !definition::is_established(stored) {
            definition::set_condition(stored, "Established", false, ("NotAccepted", "not all names are accepted"));
        }
    })
}

/// Returns the names that a definition gets, and the reason and message of the last conflict.
fn accepted_names(definition: &Value, others: &[&Value]) -> (Value, Option<(&'static str, String)>) {
    let (wanted, mut accepted) = (&definition["spec"]["names"], definition["status"]["acceptedNames"].clone());
    let used = |fields: &[&str]| -> BTreeSet<&str> {
        let plain = others.iter().flat_map(|names| fields.iter().map(|field| text(names, field)));
        plain.chain(others.iter().flat_map(|names| items(names, "shortNames").filter_map(Value::as_str))).collect()
    };
    let (resources, kinds) = (used(&["plural", "singular"]), used(&["kind", "listKind"]));
    let in_use = |name: &str| format!("\"{name}\" is already in use");
    let mut refused = None;
    let names = [
        ("plural", "PluralConflict", &resources),
        ("singular", "SingularConflict", &resources),
        ("kind", "KindConflict", &kinds),
        ("listKind", "ListKindConflict", &kinds),
    ];
    for (field, reason, used) in names {
        let name = text(wanted, field);
        if used.contains(name) && accepted[field] != *name {
            refused = Some((reason, in_use(name)));
        } else {
            accepted[field] = name.into();
        }
    }
    let taken: Vec<String> = items(wanted, "shortNames")
        .filter_map(Value::as_str)
        .filter(|name| resources.contains(name))
        .map(in_use)
        .collect();
    if !taken.is_empty() {
        refused = Some(("ShortNamesConflict", taken.join(", ")));
    }
    for (field, is_free) in [("shortNames", taken.is_empty()), ("categories", true)] {
        match wanted.get(field).filter(|_| is_free) {
            Some(names) => accepted[field] = names.clone(),
            None => drop(accepted.as_object_mut().and_then(|names| names.shift_remove(field))),
        }
    }
    (accepted, refused)
}

/// Deletes the instances of a definition, and lets it go when they are gone.
fn finish(client: &Client, definition: &Value) -> Result<(), Status> {
    if !meta::finalizers(definition).iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(());
    }
    let name = store::key(definition).1;
    let kind = client.kinds().into_iter().find(|kind| kind.custom.is_some() && kind.qualified_plural() == name);
    let instances = kind.map(|kind| client.list_stored(kind)).unwrap_or_default();
    for (kind, instance) in kind.iter().flat_map(|kind| instances.iter().map(move |instance| (kind, instance))) {
        if !meta::is_deleting(instance) {
            unless("NotFound", client.delete_stored(kind, instance, &DeleteOptions::default()))?;
        }
    }
    let is_empty = kind.is_none_or(|kind| client.list_stored(kind).is_empty());
    let (is_pending, why) = match (is_empty, kind) {
        (false, _) => (true, ("InstanceDeletionInProgress", "CustomResource deletion is in progress")),
        (true, Some(_)) => (false, ("InstanceDeletionCompleted", "removed all instances")),
        (true, None) => (false, ("NeverEstablished", "resource was never established")),
    };
    write(client, definition, |stored| {
        definition::set_condition(stored, "Terminating", is_pending, why);
        if is_empty {
            let left: Vec<String> = meta::finalizers(stored).into_iter().filter(|one| one != FINALIZER).collect();
            meta::set_or_drop(stored, "finalizers", (!left.is_empty()).then(|| json!(left)).as_ref());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::testing::Simulation;

    fn widgets(plural: &str, kind: &str, short: &str) -> Value {
        json!({
            "metadata": {"name": format!("{plural}.example.com")},
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "shortNames": [short]},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        })
    }

    fn create(simulation: &Simulation, definition: Value) {
        simulation.context.client.create_stored(kinds::of::<CustomResourceDefinition>(), definition).unwrap();
    }

    fn conditions(simulation: &Simulation, name: &str) -> Vec<String> {
        let all = stored(&simulation.context.client);
        let definition = all.iter().find(|definition| store::key(definition).1 == name).unwrap();
        let conditions = items(&definition["status"], "conditions");
        conditions.map(|one| ["type", "status", "reason"].map(|field| text(one, field)).join(" ")).collect()
    }

    #[test]
    fn a_definition_waits_for_a_name_that_another_one_has() {
        let mut simulation = Simulation::new("a");
        create(&simulation, widgets("widgets", "Widget", "w"));
        simulation.settle();
        assert_eq!(
            conditions(&simulation, "widgets.example.com"),
            ["NamesAccepted True NoConflicts", "Established True InitialNamesAccepted"]
        );
        create(&simulation, widgets("wodgets", "Wodget", "w"));
        simulation.settle();
        assert_eq!(
            conditions(&simulation, "wodgets.example.com"),
            ["NamesAccepted False ShortNamesConflict", "Established False NotAccepted"]
        );
        simulation.delete::<CustomResourceDefinition>("", "widgets.example.com", &DeleteOptions::default());
        simulation.settle();
        assert_eq!(
            conditions(&simulation, "wodgets.example.com"),
            ["NamesAccepted True NoConflicts", "Established True InitialNamesAccepted"]
        );
    }

    #[test]
    fn instances_are_deleted_with_their_definition_and_not_before_their_finalizers_are_done() {
        let mut simulation = Simulation::new("a");
        create(&simulation, widgets("widgets", "Widget", "w"));
        simulation.settle();
        let client = simulation.context.client.clone();
        let kind = client.kinds().into_iter().find(|kind| kind.kind == "Widget").unwrap();
        let widget = |name: &str, finalizers: &Value| json!({"metadata": {"name": name, "namespace": "a", "finalizers": finalizers}});
        client.create_stored(kind, widget("plain", &json!([]))).unwrap();
        client.create_stored(kind, widget("held", &json!(["example.com/held"]))).unwrap();
        simulation.delete::<CustomResourceDefinition>("", "widgets.example.com", &DeleteOptions::default());
        simulation.settle();
        let names: Vec<_> = client.list_stored(kind).iter().map(|widget| store::key(widget).1).collect();
        assert_eq!(names, ["held"]);
        assert!(
            conditions(&simulation, "widgets.example.com")
                .contains(&"Terminating True InstanceDeletionInProgress".into())
        );
        let refused = client.create_stored(kind, widget("late", &json!([]))).unwrap_err();
        assert_eq!(refused.message, "create not allowed while custom resource definition is terminating");
        simulation.modify_stored(kind, "a", "held", |widget| {
            widget["metadata"]["finalizers"] = json!([]);
            true
        });
        simulation.settle();
        assert!(stored(&client).is_empty());
        assert!(!client.kinds().contains(&kind));
    }
}
