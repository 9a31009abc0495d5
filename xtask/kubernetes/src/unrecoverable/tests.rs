//! Each row ends a wait, and its twin does not.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::*;

pub(super) fn pod(status: &Value) -> State {
    let pod = json!({ "metadata": { "name": "caesium-0", "uid": "u" }, "status": status });
    let mut state = State::default();
    state.pods.insert("caesium-0".to_owned(), serde_json::from_value(pod).unwrap());
    state
}

pub(super) fn container(state: &Value, restarts: i32) -> State {
    pod(&json!({ "phase": "Pending", "containerStatuses": [{
        "name": "caesium", "image": "caesium:1", "imageID": "", "ready": false, "restartCount": restarts, "state": state }] }))
}

pub(super) fn waiting_for(reason: &str, message: &str) -> State {
    container(&json!({ "waiting": { "reason": reason, "message": message } }), 0)
}

pub(super) fn event(state: &mut State, object: (&str, &str), reason: &str, message: &str) {
    let count = state.events.len();
    let event: Event = serde_json::from_value(json!({
        "metadata": { "name": format!("e{count:03}"), "resourceVersion": (9 + count).to_string() },
        "involvedObject": { "kind": object.0, "name": object.1 }, "reason": reason, "message": message, "count": 3 }))
    .unwrap();
    state.events.insert(event.name_any(), event);
}

/// Returns the sentence with which a wait ends after this state has lasted for so many seconds.
pub(super) fn after(state: &State, seconds: u64) -> Option<String> {
    let mut tracker = Tracker::default();
    let start = Instant::now();
    if let Some(sighting) = tracker.look(state, start) {
        return Some(sighting.sentence);
    }
    tracker.look(state, start + Duration::from_secs(seconds)).map(|sighting| sighting.sentence)
}

/// Parses an object.
pub(super) fn object<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// Returns the table in the form in which the documentation shows it.
fn shown() -> String {
    let seconds = |seconds: u64| if seconds == 0 { "at once".to_owned() } else { format!("{seconds} s") };
    let limit = |row: &Row| match row.limit {
        Limit::Seconds(all) => [seconds(all), seconds(all), String::new()],
        Limit::Adjustable { key, own_s, existing_s } => [seconds(own_s), seconds(existing_s), format!("`{key}`")],
        Limit::Times(times) => [format!("{times} exits"), format!("{times} exits"), String::new()],
    };
    let line = |row: &Row| {
        let cells = [
            vec![row.name.to_owned(), row.object.to_owned(), row.reason.to_owned()],
            limit(row).to_vec(),
            vec![row.cleared_by.to_owned(), row.twin.to_owned()],
        ];
        format!("| {} |\n", cells.concat().join(" | "))
    };
    let head = "| state | object | reported by | unrecoverable after | on an existing cluster | key in `[limits_s]` | cleared by | its twin, which recovers |\n|---|---|---|---|---|---|---|---|\n";
    std::iter::once(head.to_owned()).chain(TABLE.iter().map(line)).collect()
}

#[test]
fn documentation_shows_the_table() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/diagnosing.md")).unwrap();
    assert!(page.contains(&shown()), "docs/diagnosing.md has to contain:\n{}", shown());
}

#[test]
fn an_image_that_is_never_pulled_is_final_at_once() {
    let state =
        waiting_for("ErrImageNeverPull", "Container image \"caesium:1\" is not present with pull policy of Never");
    assert_eq!(
        after(&state, 0).unwrap(),
        "Pod/caesium-0 can't start: ErrImageNeverPull, Container image \"caesium:1\" is not present with pull policy of \
         Never (container caesium with image caesium:1)"
    );
    assert_eq!(after(&waiting_for("ContainerCreating", ""), 600), None);
}

#[test]
fn an_image_that_does_not_exist_is_final_in_seconds_one_behind_broken_dns_in_a_minute() {
    let missing = waiting_for("ImagePullBackOff", "failed to resolve reference \"caesium:1\": not found");
    assert_eq!(after(&missing, 1), None);
    assert!(after(&missing, 3).unwrap().contains("ImagePullBackOff, not found (container"), "the image is named once");
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
        "Pod/caesium-0 can't start: container caesium ended 3 times, last with exit code 3"
    );
    assert_eq!(after(&container(&json!({ "running": {} }), 2), 600), None, "it still has a chance");
}

#[test]
fn a_configuration_that_can_change_has_twenty_seconds_any_other_has_none() {
    let secret = waiting_for("CreateContainerConfigError", "secret \"none\" not found");
    assert_eq!(after(&secret, 15), None, "kubelet retries only now");
    assert!(after(&secret, 20).unwrap().contains("secret \"none\" not found"));
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
    assert_eq!(
        after(&big, 15).unwrap(),
        "Pod/caesium-0 can't be scheduled: 0/1 nodes are available: 1 Insufficient cpu."
    );
    for taint in ["untolerated taint(s)", "untolerated taint {node.kubernetes.io/not-ready: }"] {
        let young = unschedulable(&format!("0/1 nodes are available: 1 node(s) had {taint}."));
        assert_eq!(after(&young, 600), None, "{taint}");
    }
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
    assert_eq!(after(&state, 3), None);
    assert_eq!(after(&state, 5).unwrap(), format!("PersistentVolumeClaim/data is not provisioned: {message}"));
}

#[test]
fn pods_that_admission_refuses_are_final_a_late_service_account_is_not() {
    let mut state = State::default();
    let set = json!({ "metadata": { "name": "caesium" }, "spec": { "replicas": 3, "selector": {}, "template": {}, "serviceName": "" } });
    state.stateful_sets.insert("caesium".to_owned(), object(set));
    let late = "pods \"caesium-0\" is forbidden: error looking up service account test/caesium";
    event(&mut state, ("StatefulSet", "caesium"), "FailedCreate", late);
    assert_eq!(after(&state, 15), None);
    assert!(after(&state, 20).unwrap().ends_with("its pods: error looking up service account test/caesium"));
    event(&mut state, ("StatefulSet", "caesium"), "SuccessfulCreate", "create Pod caesium-0");
    assert_eq!(after(&state, 600), None, "it was created in the end");
    let refused = "pods \"caesium-0\" is forbidden: violates PodSecurity \"restricted:latest\"";
    event(&mut state, ("StatefulSet", "caesium"), "FailedCreate", refused);
    assert_eq!(
        after(&state, 3).unwrap(),
        "StatefulSet/caesium can't create its pods: violates PodSecurity \"restricted:latest\""
    );
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
    let expected = "Job/j failed: BackoffLimitExceeded, Job has reached the specified backoff limit";
    assert_eq!(after(&with(failed), 0).unwrap(), expected);
}

#[test]
fn a_crashing_init_container_is_reported_as_one() {
    let crash = |restarts: i32| {
        pod(&json!({ "phase": "Pending", "initContainerStatuses": [{ "name": "migrate", "image": "i:1", "imageID": "",
            "ready": false, "restartCount": restarts, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 2, "reason": "Error" } } }] }))
    };
    assert_eq!(after(&crash(1), 600), None);
    let expected = "Pod/caesium-0 can't start: init container migrate ended 3 times, last with exit code 2";
    assert_eq!(after(&crash(2), 0).unwrap(), expected);
}

#[test]
fn crashes_of_a_jobs_pod_are_the_jobs_to_count() {
    let mut state = container(&json!({ "terminated": { "exitCode": 3, "reason": "Error" } }), 4);
    let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true }]);
    state.pods.get_mut("caesium-0").unwrap().metadata.owner_references = object(owner);
    assert_eq!(after(&state, 600), None);
    let never = waiting_for("ErrImageNeverPull", "");
    state.pods.get_mut("caesium-0").unwrap().status.clone_from(&never.pods["caesium-0"].status);
    assert!(after(&state, 0).is_some(), "the job does not count these");
}

#[test]
fn a_replica_set_beyond_its_quota_is_final_one_that_waits_for_an_old_pod_is_not() {
    let set = |there: i32| {
        let set = json!({ "metadata": { "name": "web-1" }, "spec": { "replicas": 2, "selector": {} }, "status": { "replicas": there } });
        let mut state = State { replica_sets: [("web-1".to_owned(), object(set))].into(), ..State::default() };
        let over = "Error creating: pods \"web-1-a\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1";
        event(&mut state, ("ReplicaSet", "web-1"), "FailedCreate", over);
        state
    };
    assert_eq!(after(&set(1), 10), None);
    assert!(after(&set(1), 15).unwrap().starts_with("ReplicaSet/web-1 can't create its pods: exceeded quota: q"));
    assert_eq!(after(&set(2), 600), None, "quota became free");
}

#[test]
fn a_rollout_past_its_deadline_is_final_a_slow_one_or_an_earlier_one_is_not() {
    let with = |observed: i64, status: &str, reason: &str| {
        let deployment = json!({ "metadata": { "name": "web", "generation": 2 },
            "spec": { "selector": {}, "template": {}, "progressDeadlineSeconds": 10 },
            "status": { "observedGeneration": observed, "conditions": [{ "type": "Progressing", "status": status,
                "reason": reason, "message": "ReplicaSet \"web-1\" has timed out progressing." }] } });
        let set = json!({ "metadata": { "name": "web-1", "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment",
            "name": "web", "uid": "w", "controller": true }] } });
        let mut state = container(&json!({ "running": {} }), 0);
        let owner =
            json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true }]);
        state.pods.get_mut("caesium-0").unwrap().metadata.owner_references = object(owner);
        state.replica_sets.insert("web-1".to_owned(), object(set));
        state.deployments.insert("web".to_owned(), object(deployment));
        state
    };
    assert_eq!(after(&with(2, "True", "ReplicaSetUpdated"), 600), None);
    assert_eq!(after(&with(1, "False", "ProgressDeadlineExceeded"), 600), None);
    assert_eq!(
        after(&with(2, "False", "ProgressDeadlineExceeded"), 2).unwrap(),
        "Deployment/web made no progress for 10 s: ReplicaSet \"web-1\" has timed out progressing; Pod/caesium-0: Pending, caesium: not ready"
    );
}

#[test]
fn hooks_count_while_helm_runs_them_and_only_those_it_runs() {
    let hook = |name: &str| -> Job {
        object(json!({ "metadata": { "name": name, "uid": name, "annotations": { "helm.sh/hook": "pre-upgrade" } },
            "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "DeadlineExceeded",
                "message": "Job was active longer than specified deadline" }] } }))
    };
    let mut state = State { jobs: [("old".to_owned(), hook("old"))].into(), ..State::default() };
    assert_eq!(after(&state, 600), None, "helm is not running");
    let mut tracker = Tracker::default();
    tracker.begin_hooks(&state);
    assert_eq!(tracker.failed_hook(&state), None, "it existed before");
    state.jobs.insert("migrate".to_owned(), hook("migrate"));
    let expected =
        "hook Job/migrate (pre-upgrade) failed: DeadlineExceeded, Job was active longer than specified deadline";
    assert_eq!(tracker.failed_hook(&state).unwrap().sentence, expected);
    let start = Instant::now();
    assert_eq!(tracker.look(&state, start), None, "helm reports it itself");
    assert_eq!(tracker.look(&state, start + Duration::from_secs(3)).unwrap().sentence, expected);
}

#[test]
fn pods_of_deployments_and_jobs_are_found_by_their_controllers() {
    let owned = |name: &str, age: &str, kind: &str, owner: &str| {
        let pod = json!({ "metadata": { "name": name, "creationTimestamp": format!("2026-11-21T05:00:{age}Z"), "ownerReferences": [
            { "apiVersion": "v1", "kind": kind, "name": owner, "uid": owner, "controller": true }] } });
        (name.to_owned(), object(pod))
    };
    let set = json!({ "metadata": { "name": "web-1", "ownerReferences": [
        { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "w", "controller": true }] } });
    let state = State {
        pods: [
            owned("a", "02", "ReplicaSet", "web-1"),
            owned("b", "01", "ReplicaSet", "web-1"),
            owned("c", "01", "ReplicaSet", "web-2"),
            owned("d", "01", "Job", "j"),
        ]
        .into(),
        replica_sets: [("web-1".to_owned(), object(set))].into(),
        ..State::default()
    };
    let names = |pods: Vec<&Pod>| pods.into_iter().map(ResourceExt::name_any).collect::<Vec<_>>();
    assert_eq!(names(state.pods_of_deployment("web")), ["b", "a"]);
    assert_eq!(names(state.pods_of_job("j")), ["d"]);
    assert_eq!(names(state.pods_of_deployment("other")), [""; 0]);
}
