use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod, Secret, ServiceAccount};
use serde_json::json;

use crate::controllers::testing::Simulation;
use crate::registry::DeleteOptions;

fn delete_namespace(simulation: &mut Simulation) {
    // As the API creates a namespace: with its own finalizer.
    let held = |namespace: &mut Namespace| {
        namespace.spec.get_or_insert_default().finalizers = Some(vec!["kubernetes".to_owned()]);
        true
    };
    simulation.modify("", "a", held);
    simulation.delete::<Namespace>("", "a", &DeleteOptions::default());
    simulation.settle();
}

fn condition(simulation: &Simulation, kind: &str) -> String {
    let namespace: Namespace = simulation.context.client.get("", "a").unwrap();
    let conditions = namespace.status.unwrap().conditions.unwrap();
    conditions.into_iter().find(|c| c.type_ == kind).unwrap().message.unwrap()
}

#[test]
fn a_namespaces_account_and_certificate_are_recreated_if_deleted() {
    let mut simulation = Simulation::new("a");
    let client = simulation.context.client.clone();
    for _ in 0..2 {
        assert!(client.get::<ServiceAccount>("a", "default").is_some());
        assert!(client.get::<ConfigMap>("a", "kube-root-ca.crt").is_some());
        simulation.delete::<ServiceAccount>("a", "default", &DeleteOptions::default());
        simulation.delete::<ConfigMap>("a", "kube-root-ca.crt", &DeleteOptions::default());
        simulation.settle();
    }
}

#[test]
fn pods_end_before_the_rest_is_deleted() {
    let mut simulation = Simulation::new("a");
    let client = simulation.context.client.clone();
    simulation.create::<Pod>(
        json!({"metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": [{"name": "main", "image": "one"}]}}),
    );
    simulation.create::<Secret>(json!({"metadata": {"name": "s", "namespace": "a"}}));
    simulation.settle();
    simulation.run("a", "p");
    delete_namespace(&mut simulation);
    assert!(simulation.pod("a", "p").metadata.deletion_timestamp.is_some());
    assert!(client.get::<Secret>("a", "s").is_some(), "a pod may still need it");
    assert!(condition(&simulation, "NamespaceContentRemaining").contains("pods. has 1 resource instances"));
    simulation.stop("a", "p");
    assert!(client.get::<Namespace>("", "a").is_none());
    assert!(client.get::<Secret>("a", "s").is_none() && client.get::<ServiceAccount>("a", "default").is_none());
}

#[test]
fn a_deployments_pods_are_not_recreated() {
    let mut simulation = Simulation::new("a");
    simulation.create::<Deployment>(json!({"metadata": {"name": "d", "namespace": "a"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "main", "image": "one"}]}},
    }}));
    simulation.settle();
    let pods = simulation.pods("a");
    for name in &pods {
        simulation.run("a", name);
    }
    delete_namespace(&mut simulation);
    let events = simulation.context.client.list::<Event>(Some("a"));
    assert!(!events.iter().any(|event| event.reason.as_deref() == Some("FailedCreate")), "{events:#?}");
    for name in &pods {
        simulation.stop("a", name);
    }
    assert!(simulation.context.client.get::<Namespace>("", "a").is_none());
}

#[test]
fn a_finalizer_inside_keeps_the_namespace_and_is_named() {
    let mut simulation = Simulation::new("a");
    simulation
        .create::<Secret>(json!({"metadata": {"name": "s", "namespace": "a", "finalizers": ["example.org/hold"]}}));
    delete_namespace(&mut simulation);
    assert_eq!(
        condition(&simulation, "NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances"
    );
    let release = |secret: &mut Secret| secret.metadata.finalizers.take().is_some();
    simulation.modify("a", "s", release);
    simulation.settle();
    assert!(simulation.context.client.get::<Namespace>("", "a").is_none());
}
