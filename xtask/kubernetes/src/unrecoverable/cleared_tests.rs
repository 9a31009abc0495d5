//! What clears a state, row by row: an event counts only as long as nothing newer contradicts it.

use serde_json::{Value, json};

use super::tests::{after, container, event, object, pod, waiting_for};
use super::*;

/// Adds an event of a container.
fn of_container(state: &mut State, reason: &str, message: &str) {
    event(state, ("Pod", "caesium-0"), reason, message);
    let last = state.events.last_entry().unwrap().into_mut();
    last.involved_object.field_path = Some("spec.containers{caesium}".to_owned());
}

#[test]
fn an_image_that_is_pulled_again_gets_another_chance_but_no_more_time() {
    let dns = "dial tcp: lookup registry-1.docker.io: no such host";
    let mut state = waiting_for("ImagePullBackOff", &format!("Back-off pulling image \"a\": ErrImagePull: {dns}"));
    of_container(&mut state, "Failed", dns);
    assert!(after(&state, 60).unwrap().contains(dns));
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    assert_eq!(tracker.look(&state, start), None);
    let later = |seconds| start + Duration::from_secs(seconds);
    of_container(&mut state, "Pulling", "Pulling image \"a\"");
    assert_eq!(tracker.look(&state, later(600)), None, "a pull may take any time");
    of_container(&mut state, "Failed", dns);
    assert!(tracker.look(&state, later(601)).is_some(), "its time still counted");
}

#[test]
fn the_exit_of_a_container_that_had_started_is_not_a_failure_to_start() {
    let ended = |finished: &str| {
        let ended =
            json!({ "exitCode": 137, "reason": "Error", "startedAt": "2026-11-21T10:00:00Z", "finishedAt": finished });
        json!({ "terminated": ended })
    };
    assert!(after(&container(&ended("2026-11-21T10:00:59Z"), 4), 0).is_some());
    assert_eq!(after(&container(&ended("2026-11-21T10:01:00Z"), 4), 600), None);
    let mut backs_off = container(&json!({ "waiting": { "reason": "CrashLoopBackOff" } }), 4);
    let status = backs_off.pods.get_mut("caesium-0").unwrap().status.as_mut().unwrap();
    let status = &mut status.container_statuses.as_mut().unwrap()[0];
    status.last_state = Some(object(ended("2026-11-21T10:09:00Z")));
    assert_eq!(after(&backs_off, 600), None);
}

fn unschedulable() -> State {
    pod(
        &json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu." }] }),
    )
}

#[test]
fn a_node_that_an_autoscaler_adds_is_awaited() {
    let mut state = unschedulable();
    assert!(after(&state, 15).is_some());
    event(&mut state, ("Pod", "caesium-0"), "TriggeredScaleUp", "pod triggered scale-up: [{pool-1 3->4 (max: 5)}]");
    assert_eq!(after(&state, 600), None);
    event(
        &mut state,
        ("Pod", "caesium-0"),
        "NotTriggerScaleUp",
        "pod didn't trigger scale-up: 1 max node group size reached",
    );
    assert_eq!(
        after(&state, 15).unwrap(),
        "Pod/caesium-0 can't be scheduled: 0/3 nodes are available: 3 Insufficient cpu.; autoscaler: pod didn't trigger scale-up: 1 max node group size reached"
    );
    event(&mut state, ("Pod", "caesium-0"), "Nominated", "Pod should schedule on: nodeclaim/default-x7x2k");
    assert_eq!(after(&state, 600), None, "the reason that Karpenter uses");
}

#[test]
fn an_existing_cluster_has_more_time_and_a_suite_chooses_its_own() {
    let last = |limits: Limits, seconds: u64| {
        let (mut tracker, start) = (Tracker::new(limits), Instant::now());
        assert_eq!(tracker.look(&unschedulable(), start), None);
        tracker.look(&unschedulable(), start + Duration::from_secs(seconds)).is_some()
    };
    let chosen = || [("unschedulable".to_owned(), 600)].into();
    assert!(last(Limits::default(), 15));
    assert!(!last(Limits::new(true, BTreeMap::new()), 119) && last(Limits::new(true, BTreeMap::new()), 120));
    assert!(!last(Limits::new(true, chosen()), 599) && last(Limits::new(false, chosen()), 600));
}

fn claim(events: &[(&str, &str)]) -> State {
    let claim = json!({ "metadata": { "name": "data" }, "status": { "phase": "Pending" } });
    let mut state = State { claims: [("data".to_owned(), object(claim))].into(), ..State::default() };
    for (reason, message) in events {
        event(&mut state, ("PersistentVolumeClaim", "data"), reason, message);
    }
    state
}

#[test]
fn a_claim_that_got_a_class_later_is_awaited() {
    let none = ("FailedBinding", "no persistent volumes available for this claim and no storage class is set");
    assert!(after(&claim(&[none]), 5).is_some());
    let class = ("WaitForFirstConsumer", "waiting for first consumer to be created before binding");
    assert_eq!(after(&claim(&[none, class]), 600), None);
    let unknown = ("ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found");
    assert_eq!(after(&claim(&[unknown, ("ExternalProvisioning", "Waiting for a volume")]), 30), None);
}

#[test]
fn a_working_provisioner_is_awaited_despite_repeated_events_of_those_that_wait() {
    let waits = ("ExternalProvisioning", "Waiting for a volume to be created");
    let works = ("Provisioning", "External provisioner is provisioning volume for claim \"test/data\"");
    assert!(after(&claim(&[waits]), 60).is_some());
    assert_eq!(after(&claim(&[waits, works, waits]), 600), None, "as recorded on kind");
    let fails = ("ProvisioningFailed", "failed to provision volume: quota exceeded");
    assert!(after(&claim(&[waits, works, fails]), 60).unwrap().ends_with("quota exceeded"));
    assert_eq!(after(&claim(&[waits, works, fails, works]), 600), None, "it is retrying");
}

#[test]
fn a_mount_has_succeeded_once_the_image_is_pulled() {
    let failed =
        "MountVolume.SetUp failed for volume \"kube-api-access\" : configmap \"kube-root-ca.crt\" not registered";
    let mut state = waiting_for("ContainerCreating", "");
    event(&mut state, ("Pod", "caesium-0"), "FailedMount", failed);
    assert!(after(&state, 30).is_some());
    let mut pulling = state.clone();
    event(&mut pulling, ("Pod", "caesium-0"), "Pulling", "Pulling image \"caesium:1\"");
    assert_eq!(after(&pulling, 600), None);
    event(&mut pulling, ("Pod", "caesium-0"), "FailedMount", failed);
    assert!(after(&pulling, 30).is_some(), "it fails again, for a new sandbox");
    let ready = json!([{ "type": "PodReadyToStartContainers", "status": "True" }]);
    let status = state.pods.get_mut("caesium-0").unwrap().status.as_mut().unwrap();
    status.conditions = Some(object(ready));
    assert_eq!(after(&state, 600), None, "the event of the pull was lost");
}

#[test]
fn a_volume_that_is_attached_elsewhere_may_take_as_long_as_a_detachment() {
    let elsewhere = "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node";
    let mut state = waiting_for("ContainerCreating", "");
    event(&mut state, ("Pod", "caesium-0"), "FailedAttachVolume", elsewhere);
    // kubelet's event after two minutes.
    event(&mut state, ("Pod", "caesium-0"), "FailedMount", "Unable to attach or mount volumes: timed out waiting");
    assert_eq!(after(&state, 59), None);
    assert_eq!(after(&state, 60).unwrap(), format!("Pod/caesium-0 can't start: {elsewhere}"));
    let mut other = state.clone();
    event(
        &mut other,
        ("Pod", "caesium-0"),
        "SuccessfulAttachVolume",
        "AttachVolume.Attach succeeded for volume \"pvc-2\"",
    );
    assert!(after(&other, 60).is_some(), "an event of another volume does not count");
    event(
        &mut other,
        ("Pod", "caesium-0"),
        "SuccessfulAttachVolume",
        "AttachVolume.Attach succeeded for volume \"pvc-1\"",
    );
    assert!(after(&other, 29).is_none() && after(&other, 30).is_some(), "the failed mount counts from now on");
    event(&mut other, ("Pod", "caesium-0"), "Pulled", "Container image \"caesium:1\" already present on machine");
    assert_eq!(after(&other, 600), None);
}

#[test]
fn events_about_an_earlier_spec_do_not_count() {
    let with = |generation: i64| {
        let set = json!({ "metadata": { "name": "caesium", "generation": generation },
            "spec": { "replicas": 3, "selector": {}, "template": {}, "serviceName": "" },
            "status": { "replicas": 2, "observedGeneration": 1 } });
        let mut state = State { stateful_sets: [("caesium".to_owned(), object(set))].into(), ..State::default() };
        event(&mut state, ("StatefulSet", "caesium"), "FailedCreate", "violates PodSecurity \"restricted:latest\"");
        state
    };
    assert!(after(&with(1), 3).is_some());
    assert_eq!(after(&with(2), 600), None);
}

#[test]
fn a_daemon_set_whose_pods_are_refused_is_final() {
    let set = json!({ "metadata": { "name": "agent", "generation": 1 }, "spec": { "selector": {}, "template": {} },
        "status": { "desiredNumberScheduled": 2, "currentNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0, "observedGeneration": 1 } });
    let mut state = State { daemon_sets: [("agent".to_owned(), object(set))].into(), ..State::default() };
    event(
        &mut state,
        ("DaemonSet", "agent"),
        "FailedCreate",
        "Error creating: pods \"agent-\" is forbidden: violates PodSecurity",
    );
    assert!(after(&state, 3).unwrap().starts_with("DaemonSet/agent can't create its pods: "));
    event(&mut state, ("DaemonSet", "agent"), "SuccessfulCreate", "Created pod: agent-x");
    assert_eq!(after(&state, 600), None);
}

#[test]
fn a_failed_job_of_a_cron_job_is_superseded_by_the_next_one() {
    let job = |name: &str, minute: u32, status: Value| {
        let job = json!({ "metadata": { "name": name, "creationTimestamp": format!("2026-11-21T10:{minute:02}:00Z"),
            "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": "c", "controller": true }] },
            "status": status });
        (name.to_owned(), object(job))
    };
    let failed = || json!({ "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }] });
    let mut state = State { jobs: [job("report-1", 1, failed())].into(), ..State::default() };
    assert!(after(&state, 0).is_some());
    state.jobs.extend([job("report-2", 2, json!({ "active": 1 }))]);
    assert_eq!(after(&state, 600), None);
    state.jobs.extend([job("report-2", 2, failed())]);
    assert!(after(&state, 0).unwrap().starts_with("Job/report-2 failed"));
}

#[test]
fn a_pod_of_the_release_that_failed_is_final_one_with_a_controller_or_of_others_is_not() {
    let failed = |metadata: Value| {
        let status = json!({ "phase": "Failed", "containerStatuses": [{ "name": "main", "image": "a", "imageID": "", "ready": false,
            "restartCount": 0, "state": { "terminated": { "exitCode": 4, "reason": "Error" } } }] });
        let pod = json!({ "metadata": metadata, "status": status });
        State { pods: [("once".to_owned(), object(pod))].into(), ..State::default() }
    };
    let helms = json!({ "meta.helm.sh/release-name": "web" });
    let expected = "Pod/once failed, and nothing recreates it: main: Error exit code 4";
    assert_eq!(after(&failed(json!({ "name": "once", "annotations": helms })), 0).unwrap(), expected);
    assert_eq!(after(&failed(json!({ "name": "once" })), 600), None);
    let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true }]);
    assert_eq!(after(&failed(json!({ "name": "once", "annotations": helms, "ownerReferences": owner })), 600), None);
}
