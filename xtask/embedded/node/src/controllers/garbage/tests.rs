use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

use crate::controllers::owners;
use crate::controllers::testing::Simulation;
use crate::registry::DeleteOptions;

/// Creates an owner, its dependent, and the dependent's own dependent.
fn family() -> Simulation {
    let mut simulation = Simulation::new("a");
    let owner: ConfigMap = simulation.create(json!({"metadata": {"name": "owner", "namespace": "a"}}));
    let reference = owners::controller_reference(&owner);
    let child: Secret =
        simulation.create(json!({"metadata": {"name": "child", "namespace": "a", "ownerReferences": [reference]}}));
    let reference = owners::controller_reference(&child);
    simulation.create::<Secret>(
        json!({"metadata": {"name": "grandchild", "namespace": "a", "ownerReferences": [reference]}}),
    );
    simulation.settle();
    simulation
}

fn delete(simulation: &mut Simulation, policy: &str) {
    let options = DeleteOptions { propagation_policy: Some(policy.to_owned()), ..DeleteOptions::default() };
    simulation.delete::<ConfigMap>("a", "owner", &options);
    simulation.settle();
}

fn left(simulation: &Simulation) -> Vec<String> {
    let client = &simulation.context.client;
    let owner = client.get::<ConfigMap>("a", "owner").map(|_| "owner".to_owned());
    let secrets = client.list::<Secret>(Some("a")).into_iter().filter_map(|secret| secret.metadata.name);
    owner.into_iter().chain(secrets).collect()
}

fn hold(simulation: &Simulation, name: &str, finalizers: Option<&[String]>) {
    let hold = |secret: &mut Secret| {
        secret.metadata.finalizers = finalizers.map(<[String]>::to_vec);
        true
    };
    simulation.modify("a", name, hold);
}

#[test]
fn dependents_are_deleted_after_their_owner() {
    let mut simulation = family();
    assert_eq!(left(&simulation), ["owner", "child", "grandchild"]);
    delete(&mut simulation, "Background");
    assert_eq!(left(&simulation), Vec::<String>::new());
}

#[test]
fn with_foreground_deletion_the_owner_is_deleted_last() {
    let mut simulation = family();
    hold(&simulation, "grandchild", Some(&["example.org/hold".to_owned()]));
    delete(&mut simulation, "Foreground");
    assert_eq!(left(&simulation), ["owner", "child", "grandchild"], "all wait for the one with a finalizer");
    hold(&simulation, "grandchild", None);
    simulation.settle();
    assert_eq!(left(&simulation), Vec::<String>::new());
}

#[test]
fn orphans_stay() {
    let mut simulation = family();
    delete(&mut simulation, "Orphan");
    assert_eq!(left(&simulation), ["child", "grandchild"]);
    let child: Secret = simulation.context.client.get("a", "child").unwrap();
    assert!(child.metadata.owner_references.is_none_or(|owners| owners.is_empty()));
}

#[test]
fn one_remaining_owner_keeps_an_object() {
    let mut simulation = family();
    let other: ConfigMap = simulation.create(json!({"metadata": {"name": "other", "namespace": "a"}}));
    let adopt = |secret: &mut Secret| {
        secret.metadata.owner_references.get_or_insert_default().push(owners::reference(&other));
        true
    };
    simulation.modify("a", "child", adopt);
    delete(&mut simulation, "Background");
    let child: Secret = simulation.context.client.get("a", "child").unwrap();
    assert_eq!(child.metadata.owner_references.unwrap().len(), 1);
}

#[test]
fn an_owner_that_never_existed_counts_as_gone() {
    let mut simulation = family();
    let stranger = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "another"});
    simulation
        .create::<Secret>(json!({"metadata": {"name": "stray", "namespace": "a", "ownerReferences": [stranger]}}));
    simulation.settle();
    assert_eq!(left(&simulation), ["owner", "child", "grandchild"]);
}
