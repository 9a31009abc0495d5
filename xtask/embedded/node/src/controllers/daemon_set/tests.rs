use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus};
use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

use crate::controllers::NODE;
use crate::controllers::testing::Simulation;

fn set(more: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "agent"}},
        "template": {
            "metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "main", "image": "one"}]},
        },
    });
    if let Value::Object(more) = more {
        spec.as_object_mut().unwrap().extend(more);
    }
    json!({"metadata": {"name": "agent", "namespace": "a"}, "spec": spec})
}

fn status(simulation: &Simulation) -> DaemonSetStatus {
    simulation.context.client.get::<DaemonSet>("a", "agent").unwrap().status.unwrap()
}

fn started(more: Value) -> Simulation {
    let mut simulation = Simulation::new("a");
    simulation.create::<DaemonSet>(set(more));
    simulation.settle();
    simulation
}

fn change_image(simulation: &mut Simulation, image: &str) {
    simulation.modify::<DaemonSet>("a", "agent", |set| {
        let spec = &mut set.spec.as_mut().unwrap().template.spec;
        spec.as_mut().unwrap().containers[0].image = Some(image.to_owned());
        true
    });
    simulation.settle();
}

fn image(simulation: &Simulation, name: &str) -> String {
    simulation.pod("a", name).spec.unwrap().containers[0].image.clone().unwrap()
}

fn only(simulation: &Simulation) -> String {
    let pods = simulation.pods("a");
    assert_eq!(pods.len(), 1, "{pods:?}");
    pods[0].clone()
}

#[test]
fn one_pod_runs_on_the_node_and_is_counted() {
    let mut simulation = started(json!({}));
    let name = only(&simulation);
    let pod = simulation.pod("a", &name);
    assert_eq!(pod.spec.as_ref().unwrap().node_name.as_deref(), Some(NODE));
    assert_eq!(pod.metadata.labels.unwrap()["pod-template-generation"], "1");
    assert_eq!((status(&simulation).desired_number_scheduled, status(&simulation).number_ready), (1, 0));
    simulation.run("a", &name);
    simulation.ready("a", &name);
    let counted = status(&simulation);
    assert_eq!((counted.number_ready, counted.number_available, counted.number_unavailable), (1, Some(1), None));
    assert_eq!((counted.updated_number_scheduled, counted.observed_generation), (Some(1), Some(1)));
    simulation.delete_now("a", &name);
    assert_ne!(only(&simulation), name, "a deleted pod is replaced");
}

#[test]
fn a_node_that_does_not_match_gets_no_pod_and_loses_the_one_it_has() {
    let mut simulation = started(json!({}));
    let name = only(&simulation);
    simulation.modify::<DaemonSet>("a", "agent", |set| {
        let spec = set.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
        spec.node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
        true
    });
    simulation.settle();
    simulation.stop("a", &name);
    assert_eq!((simulation.pods("a").len(), status(&simulation).desired_number_scheduled), (0, 0));
    simulation.modify::<Node>("", NODE, |node| {
        node.metadata.labels.get_or_insert_default().insert("disk".to_owned(), "ssd".to_owned()).is_none()
    });
    simulation.settle();
    only(&simulation);
}

#[test]
fn taints_keep_pods_away_unless_tolerated_and_a_cordon_does_not() {
    let taint = |effect: &str| json!([{"key": "gpu", "effect": effect}]);
    let tainted = |more: Value, effect: &str| {
        let mut simulation = Simulation::new("a");
        simulation.modify::<Node>("", NODE, |node| {
            let spec = node.spec.get_or_insert_default();
            spec.taints = serde_json::from_value(taint(effect)).unwrap();
            spec.unschedulable = Some(true);
            true
        });
        let mut set = set(json!({}));
        set["spec"]["template"]["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        simulation.create::<DaemonSet>(set);
        simulation.settle();
        simulation.pods("a").len()
    };
    assert_eq!(tainted(json!({}), "PreferNoSchedule"), 1);
    assert_eq!(tainted(json!({}), "NoSchedule"), 0);
    assert_eq!(tainted(json!({"tolerations": [{"operator": "Exists"}]}), "NoExecute"), 1);
}

#[test]
fn an_update_replaces_the_pod_and_keeps_the_earlier_template() {
    let mut simulation = started(json!({"revisionHistoryLimit": 1}));
    let first = only(&simulation);
    simulation.run("a", &first);
    simulation.ready("a", &first);
    change_image(&mut simulation, "two");
    assert!(simulation.pod("a", &first).metadata.deletion_timestamp.is_some());
    assert_eq!(status(&simulation).updated_number_scheduled, None);
    simulation.stop("a", &first);
    let second = only(&simulation);
    assert_eq!(image(&simulation, &second), "two");
    change_image(&mut simulation, "three");
    simulation.stop("a", &second);
    let revisions = simulation.context.client.list::<ControllerRevision>(Some("a"));
    let mut numbers: Vec<i64> = revisions.iter().map(|revision| revision.revision).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3], "one earlier template is kept");
    change_image(&mut simulation, "two");
    let third = only(&simulation);
    simulation.stop("a", &third);
    let current = only(&simulation);
    assert_eq!(image(&simulation, &current), "two");
    assert_eq!(simulation.pod("a", &current).metadata.labels.unwrap()["pod-template-generation"], "4");
}

#[test]
fn with_on_delete_a_pod_stays_until_somebody_deletes_it() {
    let mut simulation = started(json!({"updateStrategy": {"type": "OnDelete"}}));
    let first = only(&simulation);
    change_image(&mut simulation, "two");
    assert_eq!(only(&simulation), first);
    simulation.delete_now("a", &first);
    assert_eq!(image(&simulation, &only(&simulation)), "two");
}

#[test]
fn with_a_surge_the_old_pod_goes_once_the_new_one_is_available() {
    let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
    let mut simulation = started(json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}));
    let first = only(&simulation);
    simulation.run("a", &first);
    simulation.ready("a", &first);
    change_image(&mut simulation, "two");
    let pods = simulation.pods("a");
    assert_eq!(pods.len(), 2);
    let second = pods.into_iter().find(|name| *name != first).unwrap();
    simulation.run("a", &second);
    assert!(simulation.pod("a", &first).metadata.deletion_timestamp.is_none());
    simulation.ready("a", &second);
    assert!(simulation.pod("a", &first).metadata.deletion_timestamp.is_some());
    simulation.stop("a", &first);
    assert_eq!(only(&simulation), second);
}

#[test]
fn a_pod_that_ended_is_replaced() {
    let mut simulation = started(json!({}));
    let first = only(&simulation);
    simulation.run("a", &first);
    simulation.end("a", &first, "Failed");
    assert_ne!(only(&simulation), first);
}
