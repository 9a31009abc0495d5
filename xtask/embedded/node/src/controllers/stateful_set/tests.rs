#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};

use crate::controllers::testing::{Simulation, recording};
use crate::registry::DeleteOptions;

const NAMESPACE: &str = "s-statefulset";

pub fn recorded() -> Vec<Value> {
    recording::lines(include_str!("../../../tests/fixtures/lifecycle/statefulset.jsonl"))
}

fn bring_up(simulation: &mut Simulation, names: &[&str]) {
    for name in names {
        simulation.run(NAMESPACE, name);
        simulation.ready(NAMESPACE, name);
    }
}

fn change(simulation: &mut Simulation, change: impl Fn(&mut Value)) {
    let kind = crate::kinds::of::<StatefulSet>();
    let write = |set: &mut Value| {
        change(&mut set["spec"]);
        true
    };
    simulation.modify_stored(kind, NAMESPACE, "s", write);
    simulation.settle();
}

/// Replays the recorded scenario: create three, delete the first without grace, roll out, scale to one.
pub fn replay() -> Simulation {
    let mut simulation = Simulation::new(NAMESPACE);
    simulation.create_recorded(&recorded(), NAMESPACE);
    simulation.settle();
    bring_up(&mut simulation, &["s-0", "s-1", "s-2"]);
    simulation.delete_now(NAMESPACE, "s-0");
    bring_up(&mut simulation, &["s-0"]);
    change(&mut simulation, |spec| spec["template"]["metadata"]["annotations"] = json!({"v": "2"}));
    for name in ["s-2", "s-1", "s-0"] {
        simulation.stop(NAMESPACE, name);
        bring_up(&mut simulation, &[name]);
    }
    change(&mut simulation, |spec| spec["replicas"] = 1.into());
    simulation.stop(NAMESPACE, "s-2");
    simulation.stop(NAMESPACE, "s-1");
    simulation
}

#[test]
fn events_come_in_the_recorded_order() {
    let simulation = replay();
    let (recorded, own) = (recording::recorded_events(&recorded()), recording::events(&simulation.log()));
    for (object, events) in &recorded {
        // How often the binder reports that a provisioner works depends on timing.
        let mut events = events.clone();
        let mut said_before = Vec::new();
        events.retain(|what| {
            !what.contains("ExternalProvisioning")
                || !said_before.contains(what) && {
                    said_before.push(what.clone());
                    true
                }
        });
        recording::assert_same(&own[object], &events, object);
    }
    assert_eq!(recorded.keys().collect::<Vec<_>>(), own.keys().collect::<Vec<_>>());
}

#[test]
fn states_come_in_the_recorded_order() {
    let simulation = replay();
    let mut recorded = recording::recorded_states(&recorded(), "statefulsets", "s");
    // A pod deleted without grace is removed in one step here; in the recording, it is marked for a moment first.
    let marked = r#""currentReplicas":2,"currentRevision":"s-#0","observedGeneration":1,"readyReplicas":3"#;
    recorded.retain(|state| !state.contains(marked));
    let own = recording::own_states(&simulation.log(), "StatefulSet", "s");
    recording::assert_same(&own, &recorded, "s");
}

fn set(spec: Value) -> Simulation {
    let mut simulation = Simulation::new(NAMESPACE);
    let mut set = json!({"metadata": {"name": "s", "namespace": NAMESPACE}, "spec": {
        "replicas": 3, "serviceName": "h", "selector": {"matchLabels": {"app": "s"}},
        "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "main", "image": "one"}]}},
    }});
    set["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    simulation.create::<StatefulSet>(set);
    simulation.settle();
    simulation
}

fn set_image(simulation: &mut Simulation, image: &str) {
    change(simulation, |spec| spec["template"]["spec"]["containers"][0]["image"] = image.into());
}

/// Returns the pods with their images, those being deleted in brackets.
fn pods(simulation: &Simulation) -> Vec<String> {
    let shown = |name: String| {
        let pod = simulation.pod(NAMESPACE, &name);
        let image = pod.spec.unwrap().containers[0].image.clone().unwrap();
        let shown = format!("{name} {image}");
        if pod.metadata.deletion_timestamp.is_some() { format!("({shown})") } else { shown }
    };
    simulation.pods(NAMESPACE).into_iter().map(shown).collect()
}

#[test]
fn a_pod_has_the_labels_of_its_set_and_ordinal() {
    let simulation = set(json!({"ordinals": {"start": 5}}));
    let pod = simulation.pod(NAMESPACE, "s-5");
    let labels = pod.metadata.labels.unwrap();
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "s-5");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "5");
    assert!(labels["controller-revision-hash"].starts_with("s-"));
    let spec = pod.spec.unwrap();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("s-5"), Some("h")));
}

#[test]
fn parallel_pods_do_not_wait_for_each_other() {
    let mut simulation = set(json!({"podManagementPolicy": "Parallel"}));
    assert_eq!(pods(&simulation), ["s-0 one", "s-1 one", "s-2 one"]);
    bring_up(&mut simulation, &["s-0", "s-1", "s-2"]);
    change(&mut simulation, |spec| spec["replicas"] = 1.into());
    assert_eq!(pods(&simulation), ["s-0 one", "(s-1 one)", "(s-2 one)"]);
}

#[test]
fn pods_below_the_partition_keep_their_revision_when_recreated() {
    let mut simulation = set(json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}));
    bring_up(&mut simulation, &["s-0", "s-1", "s-2"]);
    set_image(&mut simulation, "two");
    simulation.stop(NAMESPACE, "s-2");
    bring_up(&mut simulation, &["s-2"]);
    simulation.delete_now(NAMESPACE, "s-0");
    assert_eq!(pods(&simulation), ["s-0 one", "s-1 one", "s-2 two"]);
}

#[test]
fn with_on_delete_only_deleted_pods_are_updated() {
    let mut simulation = set(json!({"updateStrategy": {"type": "OnDelete"}}));
    bring_up(&mut simulation, &["s-0", "s-1", "s-2"]);
    set_image(&mut simulation, "two");
    assert_eq!(pods(&simulation), ["s-0 one", "s-1 one", "s-2 one"]);
    simulation.delete_now(NAMESPACE, "s-1");
    assert_eq!(pods(&simulation), ["s-0 one", "s-1 two", "s-2 one"]);
}

#[test]
fn a_fixed_template_does_not_replace_a_broken_pod() {
    // As on a real cluster (kubernetes/kubernetes#67250): the set waits for the pod that can't become ready.
    let mut simulation = set(json!({}));
    simulation.run(NAMESPACE, "s-0");
    set_image(&mut simulation, "mended");
    assert_eq!(pods(&simulation), ["s-0 one"]);
    simulation.delete_now(NAMESPACE, "s-0");
    assert_eq!(pods(&simulation), ["s-0 mended"]);
}

#[test]
fn pods_after_an_unready_one_are_not_created() {
    let mut simulation = set(json!({}));
    bring_up(&mut simulation, &["s-0", "s-1", "s-2"]);
    simulation.delete_now(NAMESPACE, "s-2");
    simulation.run(NAMESPACE, "s-0");
    simulation.delete_now(NAMESPACE, "s-1");
    assert_eq!(pods(&simulation), ["s-0 one", "s-2 one"], "s-0 is not ready: s-1 has to wait");
    simulation.ready(NAMESPACE, "s-0");
    assert_eq!(pods(&simulation), ["s-0 one", "s-1 one", "s-2 one"]);
}

#[test]
fn a_failed_pod_is_recreated() {
    let mut simulation = set(json!({"replicas": 1}));
    simulation.run(NAMESPACE, "s-0");
    let before = simulation.pod(NAMESPACE, "s-0").metadata.uid;
    simulation.end(NAMESPACE, "s-0", "Failed");
    assert_ne!(simulation.pod(NAMESPACE, "s-0").metadata.uid, before);
    let events = recording::events(&simulation.log());
    let message = "Warning RecreatingFailedPod: StatefulSet s-statefulset/s is recreating failed Pod s-0";
    assert!(events["StatefulSet/s"].contains(&message.to_owned()), "{events:#?}");
}

#[test]
fn a_rollback_reuses_the_old_revision_and_few_are_kept() {
    let mut simulation = set(json!({"replicas": 1, "revisionHistoryLimit": 1}));
    let revisions = |simulation: &Simulation| {
        let all = simulation.context.client.list::<ControllerRevision>(Some(NAMESPACE));
        let mut numbers: Vec<i64> = all.iter().map(|revision| revision.revision).collect();
        numbers.sort_unstable();
        numbers
    };
    bring_up(&mut simulation, &["s-0"]);
    for image in ["two", "one", "two", "three", "four"] {
        set_image(&mut simulation, image);
        simulation.stop(NAMESPACE, "s-0");
        bring_up(&mut simulation, &["s-0"]);
        assert!(revisions(&simulation).len() <= 2, "{:?}", revisions(&simulation));
    }
    assert_eq!(revisions(&simulation), [5, 6]);
}

#[test]
fn claims_follow_the_retention_policy() {
    let claims = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}]);
    for (policy, scaled, deleted) in [
        (json!({"whenDeleted": "Retain", "whenScaled": "Retain"}), 2, 2),
        (json!({"whenDeleted": "Retain", "whenScaled": "Delete"}), 1, 1),
        (json!({"whenDeleted": "Delete", "whenScaled": "Retain"}), 2, 0),
        (json!({"whenDeleted": "Delete", "whenScaled": "Delete"}), 1, 0),
    ] {
        let mut simulation = set(json!({
            "replicas": 2, "volumeClaimTemplates": claims, "persistentVolumeClaimRetentionPolicy": policy,
        }));
        bring_up(&mut simulation, &["s-0", "s-1"]);
        let count =
            |simulation: &Simulation| simulation.context.client.list::<PersistentVolumeClaim>(Some(NAMESPACE)).len();
        change(&mut simulation, |spec| spec["replicas"] = 1.into());
        simulation.stop(NAMESPACE, "s-1");
        assert_eq!(count(&simulation), scaled, "scaled, {policy}");
        simulation.delete::<StatefulSet>(NAMESPACE, "s", &DeleteOptions::default());
        simulation.settle();
        simulation.stop(NAMESPACE, "s-0");
        assert_eq!(count(&simulation), deleted, "deleted, {policy}");
    }
}
