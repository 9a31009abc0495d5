//! Each row ends a wait, and its twin does not.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim};
use serde_json::{Value, json};

use super::*;

fn pod(status: &Value) -> State {
    let pod = json!({ "metadata": { "name": "caesium-0", "uid": "u" }, "status": status });
    let mut state = State::default();
    state.pods.insert("caesium-0".to_owned(), serde_json::from_value(pod).unwrap());
    state
}

fn container(state: &Value, restarts: i32) -> State {
    pod(&json!({ "phase": "Pending", "containerStatuses": [{
        "name": "caesium", "image": "caesium:1", "imageID": "", "ready": false, "restartCount": restarts, "state": state }] }))
}

fn waiting_for(reason: &str, message: &str) -> State {
    container(&json!({ "waiting": { "reason": reason, "message": message } }), 0)
}

fn event(state: &mut State, object: (&str, &str), reason: &str, message: &str) {
    let event: Event = serde_json::from_value(json!({ "metadata": { "name": format!("e{}", state.events.len()) },
        "involvedObject": { "kind": object.0, "name": object.1 }, "reason": reason, "message": message, "count": 3 }))
    .unwrap();
    state.events.insert(event.name_any(), event);
}

/// What a wait that lasts so many seconds with this state ends with.
fn after(state: &State, seconds: u64) -> Option<String> {
    let mut tracker = Tracker::default();
    let start = Instant::now();
    if let Some(sighting) = tracker.look(state, start) {
        return Some(sighting.sentence);
    }
    tracker.look(state, start + Duration::from_secs(seconds)).map(|sighting| sighting.sentence)
}

#[test]
fn every_row_has_a_name_and_a_twin() {
    assert!(TABLE.iter().all(|row| !row.name.is_empty() && !row.twin.is_empty()));
}

#[test]
fn an_image_that_is_never_pulled_is_final_at_once() {
    let state =
        waiting_for("ErrImageNeverPull", "Container image \"caesium:1\" is not present with pull policy of Never");
    assert_eq!(
        after(&state, 0).unwrap(),
        "Pod/caesium-0 can't start: container caesium with image caesium:1: ErrImageNeverPull, Container image \
         \"caesium:1\" is not present with pull policy of Never"
    );
    assert_eq!(after(&waiting_for("ContainerCreating", ""), 600), None);
}

#[test]
fn an_image_that_does_not_exist_is_final_in_seconds_one_behind_broken_dns_in_a_minute() {
    let missing = waiting_for("ImagePullBackOff", "failed to resolve reference \"caesium:1\": not found");
    assert_eq!(after(&missing, 1), None);
    assert!(after(&missing, 3).unwrap().contains("ImagePullBackOff"));
    let dns = waiting_for("ErrImagePull", "lookup registry-1.docker.io on 172.18.0.1:53: no such host");
    assert_eq!(after(&dns, 30), None, "the twin recovers by then");
    assert!(after(&dns, 60).is_some());
}

#[test]
fn the_third_crash_is_final_two_are_not() {
    let crashed = json!({ "terminated": { "exitCode": 3, "reason": "Error" } });
    assert_eq!(after(&container(&crashed, 1), 600), None);
    assert_eq!(
        after(&container(&crashed, 2), 0).unwrap(),
        "Pod/caesium-0 can't start: container caesium ended 3 times, last with exit code 3 (Error)"
    );
    assert_eq!(after(&container(&json!({ "running": {} }), 2), 600), None, "it has its chance");
}

#[test]
fn a_configuration_that_can_change_has_ten_seconds_one_that_can_not_has_none() {
    let secret = waiting_for("CreateContainerConfigError", "secret \"none\" not found");
    assert_eq!(after(&secret, 5), None);
    assert!(after(&secret, 10).unwrap().contains("secret \"none\" not found"));
    let root = waiting_for("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
    assert!(after(&root, 0).is_some());
}

#[test]
fn a_pod_that_fits_nowhere_is_final_one_before_a_node_that_is_not_ready_is_not() {
    let unschedulable = |message: &str| {
        pod(&json!({ "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }] }))
    };
    let big = unschedulable("0/1 nodes are available: 1 Insufficient cpu.");
    assert_eq!(after(&big, 15).unwrap(), "Pod/caesium-0 fits on no node: 0/1 nodes are available: 1 Insufficient cpu.");
    let young =
        unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }");
    assert_eq!(after(&young, 600), None);
}

#[test]
fn a_claim_without_class_is_final_one_that_waits_for_its_consumer_is_not() {
    let mut state = State::default();
    let claim: PersistentVolumeClaim =
        serde_json::from_value(json!({ "metadata": { "name": "data" }, "status": { "phase": "Pending" } })).unwrap();
    state.claims.insert("data".to_owned(), claim);
    event(&mut state, ("PersistentVolumeClaim", "data"), "WaitForFirstConsumer", "waiting for first consumer");
    assert_eq!(after(&state, 600), None);
    let message = "no persistent volumes available for this claim and no storage class is set";
    event(&mut state, ("PersistentVolumeClaim", "data"), "FailedBinding", message);
    assert_eq!(after(&state, 5).unwrap(), format!("PersistentVolumeClaim/data is never provisioned: {message}"));
}

#[test]
fn pods_that_admission_refuses_are_final_a_late_service_account_is_not() {
    let mut state = State::default();
    let set = json!({ "metadata": { "name": "caesium" }, "spec": { "replicas": 3, "selector": {}, "template": {}, "serviceName": "" } });
    state.stateful_sets.insert("caesium".to_owned(), serde_json::from_value(set).unwrap());
    let late = "pods \"caesium-0\" is forbidden: error looking up service account test/caesium";
    event(&mut state, ("StatefulSet", "caesium"), "FailedCreate", late);
    assert_eq!(after(&state, 600), None);
    let refused = "pods \"caesium-0\" is forbidden: violates PodSecurity \"restricted:latest\"";
    event(&mut state, ("StatefulSet", "caesium"), "FailedCreate", refused);
    assert_eq!(after(&state, 3).unwrap(), format!("StatefulSet/caesium may not create its pods: {refused}"));
}

#[test]
fn a_mount_that_keeps_failing_is_final_one_that_failed_once_is_not() {
    let mut state = waiting_for("ContainerCreating", "");
    event(&mut state, ("Pod", "caesium-0"), "FailedMount", "secret \"none\" not found");
    assert_eq!(after(&state, 10), None);
    assert_eq!(after(&state, 30).unwrap(), "Pod/caesium-0 can't start: secret \"none\" not found");
    let mut started = container(&json!({ "running": {} }), 0);
    event(&mut started, ("Pod", "caesium-0"), "FailedMount", "secret \"none\" not found");
    assert_eq!(after(&started, 600), None);
}

#[test]
fn a_failed_job_is_final_one_with_a_failed_pod_is_not() {
    let with = |status: Value| {
        let job: Job = serde_json::from_value(json!({ "metadata": { "name": "j" }, "status": status })).unwrap();
        State { jobs: [("j".to_owned(), job)].into(), ..State::default() }
    };
    assert_eq!(after(&with(json!({ "failed": 1, "active": 1 })), 600), None);
    let failed = json!({ "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit" }] });
    assert_eq!(after(&with(failed), 0).unwrap(), "Job/j failed: Job has reached the specified backoff limit");
}
