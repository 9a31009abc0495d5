#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;

use super::admit;
use super::evict::may_evict;
use crate::controllers::testing::{Simulation, recording};
use crate::registry::DeleteOptions;

const NAMESPACE: &str = "s-eviction-budget";

#[test]
fn a_budget_rejects_the_eviction_of_its_only_pod_as_recorded() {
    let recorded = recording::lines(include_str!("../../../tests/fixtures/lifecycle/eviction-budget.jsonl"));
    let mut simulation = Simulation::new(NAMESPACE);
    let mut creations = recorded.iter().filter(|line| line.get("create").is_some()).cloned();
    simulation.create_recorded(&[creations.next().unwrap()], NAMESPACE);
    simulation.settle();
    simulation.create_recorded(&[creations.next().unwrap()], NAMESPACE);
    simulation.settle();
    simulation.run(NAMESPACE, "web");
    simulation.ready(NAMESPACE, "web");

    let own = recording::own_states(&simulation.log(), "PodDisruptionBudget", "b");
    recording::assert_same(&own, &recording::recorded_states(&recorded, "poddisruptionbudgets", "b"), "b");
    let events = recording::events(&simulation.log());
    assert_eq!(events["PodDisruptionBudget/b"], ["Normal NoPods: No matching pods found"]);

    let refused = admit(&simulation.context.client, &simulation.pod(NAMESPACE, "web"), false).unwrap_err();
    let answer = recorded.iter().find(|line| line["code"] == 429).unwrap();
    assert_eq!(refused.to_json(), answer["answer"]);
}

fn three_with(budget: serde_json::Value) -> (Simulation, PodDisruptionBudget) {
    let mut simulation = Simulation::new("a");
    simulation.create::<StatefulSet>(json!({"metadata": {"name": "s", "namespace": "a"}, "spec": {
        "replicas": 3, "podManagementPolicy": "Parallel", "selector": {"matchLabels": {"app": "s"}},
        "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "main", "image": "i"}]}},
    }}));
    let mut budget = json!({"metadata": {"name": "b", "namespace": "a"}, "spec": budget});
    budget["spec"]["selector"] = json!({"matchLabels": {"app": "s"}});
    simulation.create::<PodDisruptionBudget>(budget);
    simulation.settle();
    for name in ["s-0", "s-1", "s-2"] {
        simulation.run("a", name);
        simulation.ready("a", name);
    }
    let budget = simulation.context.client.get("a", "b").unwrap();
    (simulation, budget)
}

#[test]
fn numbers_and_percentages_are_rounded_as_in_kubernetes() {
    for (spec, desired, allowed) in [
        (json!({"minAvailable": 2}), 2, 1),
        (json!({"maxUnavailable": 1}), 2, 1),
        (json!({"minAvailable": "50%"}), 2, 1),
        (json!({"maxUnavailable": "50%"}), 1, 2),
        (json!({"minAvailable": "100%"}), 3, 0),
        (json!({"maxUnavailable": 0}), 3, 0),
    ] {
        let status = three_with(spec.clone()).1.status.unwrap();
        let numbers =
            (status.expected_pods, status.current_healthy, status.desired_healthy, status.disruptions_allowed);
        assert_eq!(numbers, (Some(3), Some(3), Some(desired), Some(allowed)), "{spec}");
    }
}

#[test]
fn an_eviction_is_counted_until_the_pod_is_ready_again() {
    let (mut simulation, _) = three_with(json!({"maxUnavailable": 1}));
    let client = simulation.context.client.clone();
    admit(&client, &simulation.pod("a", "s-0"), false).unwrap();
    simulation.settle();
    assert_eq!(admit(&client, &simulation.pod("a", "s-1"), false).unwrap_err().code, 429, "allowed, not gone yet");
    simulation.delete::<Pod>("a", "s-0", &DeleteOptions::default());
    simulation.settle();
    simulation.stop("a", "s-0");
    assert_eq!(admit(&client, &simulation.pod("a", "s-1"), false).unwrap_err().code, 429, "its successor is not ready");
    simulation.run("a", "s-0");
    simulation.ready("a", "s-0");
    admit(&client, &simulation.pod("a", "s-1"), false).unwrap();
}

#[test]
fn an_unready_pod_may_be_evicted_while_enough_others_are_ready() {
    let (mut simulation, _) = three_with(json!({"minAvailable": 2}));
    simulation.run("a", "s-2");
    let budget = [simulation.context.client.get("a", "b").unwrap()];
    assert!(may_evict(&budget, &simulation.pod("a", "s-2")).unwrap().is_none(), "it costs nothing");
    assert_eq!(may_evict(&budget, &simulation.pod("a", "s-1")).unwrap_err().code, 429);
    let both = [budget[0].clone(), budget[0].clone()];
    assert_eq!(may_evict(&both, &simulation.pod("a", "s-1")).unwrap_err().code, 500);
}
