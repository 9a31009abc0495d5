//! Each kind, ready and not ready, as API servers return it.

use serde_json::json;

use super::*;

fn made(group: &str, kind: &str, name: &str, spec: Value) -> Made {
    let (group, kind, name) = (group.to_owned(), kind.to_owned(), name.to_owned());
    Made { kind, group, name, spec, ..Made::default() }
}

fn object<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

fn judged(made: &Made, state: &State) -> Readiness {
    made.readiness(state, Duration::ZERO)
}

fn not_yet(seen: &str) -> Readiness {
    NotYet(seen.to_owned())
}

fn event(state: &mut State, object_: (&str, &str), reason: &str, message: &str) {
    let name = format!("e{}", state.events.len());
    let event = json!({ "metadata": { "name": name, "resourceVersion": (9 + state.events.len()).to_string() },
        "involvedObject": { "kind": object_.0, "name": object_.1 }, "reason": reason, "message": message });
    state.events.insert(name, object(event));
}

fn ready_pod(probe: bool, job: Option<&str>) -> Pod {
    let owners = job
        .map(|job| json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": "j", "controller": true }]));
    let probe = probe.then(|| json!({ "exec": { "command": ["true"] } }));
    object(json!({ "metadata": { "name": "p", "ownerReferences": owners.unwrap_or_default() },
        "spec": { "containers": [{ "name": "main", "readinessProbe": probe }] },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } }))
}

#[test]
fn a_bare_pod_is_waited_for() {
    let pod = made("", "Pod", "p", Value::Null);
    assert_eq!(judged(&pod, &State::default()), not_yet("Pod/p does not exist"));
    let with = |found: Pod| State { pods: [("p".to_owned(), found)].into(), ..State::default() };
    assert_eq!(judged(&pod, &with(ready_pod(true, None))), Ready);
    let unready = json!({ "metadata": { "name": "p" }, "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }] } });
    assert_eq!(judged(&pod, &with(object(unready))), not_yet("Pod/p Running"));
    let [mut once, mut probed] = [false, true].map(|probe| ready_pod(probe, None));
    for pod in [&mut once, &mut probed] {
        pod.spec.as_mut().unwrap().restart_policy = Some("Never".to_owned());
    }
    let NotYet(why) = judged(&pod, &with(once)) else { panic!("it may still fail") };
    assert!(why.starts_with("Pod/p has to complete"), "{why}");
    assert_eq!(judged(&pod, &with(probed)), Ready);
    let done = json!({ "metadata": { "name": "p" }, "status": { "phase": "Succeeded" } });
    assert_eq!(judged(&pod, &with(object(done))), Ready);
}

#[test]
fn a_daemon_set_is_ready_on_every_node_that_it_matches() {
    let with = |strategy: &str, [wanted, updated, ready]: [i32; 3]| {
        let set = json!({ "metadata": { "name": "agent", "generation": 2 }, "spec": { "selector": {}, "template": {}, "updateStrategy": { "type": strategy } },
            "status": { "observedGeneration": 2, "desiredNumberScheduled": wanted, "currentNumberScheduled": wanted, "numberMisscheduled": 0,
                "updatedNumberScheduled": updated, "numberAvailable": ready, "numberReady": ready } });
        State { daemon_sets: [("agent".to_owned(), object(set))].into(), ..State::default() }
    };
    let mut agent = made("apps", "DaemonSet", "agent", Value::Null);
    assert_eq!(judged(&agent, &with("RollingUpdate", [2, 2, 2])), Ready);
    assert_eq!(judged(&agent, &with("RollingUpdate", [2, 2, 1])), not_yet("DaemonSet/agent 1/2 ready"));
    assert_eq!(judged(&agent, &with("RollingUpdate", [2, 1, 2])), not_yet("DaemonSet/agent 2/2 ready"));
    assert_eq!(judged(&agent, &with("OnDelete", [2, 0, 2])), Ready);
    assert_eq!(judged(&agent, &with("RollingUpdate", [0, 0, 0])), NotJudged("no node matches it"));
    agent.generation = Some(3);
    assert_eq!(
        judged(&agent, &with("RollingUpdate", [2, 2, 2])),
        not_yet("DaemonSet/agent 2/2 ready"),
        "the change is not observed yet"
    );
}

#[test]
fn replica_sets_and_replication_controllers_are_waited_for() {
    let status = |ready: i32| json!({ "observedGeneration": 1, "replicas": 2, "readyReplicas": ready, "availableReplicas": ready });
    let with = |ready: i32| {
        let of = |status: Value| json!({ "metadata": { "name": "r", "generation": 1 }, "spec": { "replicas": 2, "selector": {} }, "status": status });
        let controller =
            json!({ "metadata": { "name": "r", "generation": 1 }, "spec": { "replicas": 2 }, "status": status(ready) });
        State {
            replica_sets: [("r".to_owned(), object(of(status(ready))))].into(),
            replication_controllers: [("r".to_owned(), object(controller))].into(),
            ..State::default()
        }
    };
    for (group, kind) in [("apps", "ReplicaSet"), ("", "ReplicationController")] {
        let made = made(group, kind, "r", Value::Null);
        assert_eq!(judged(&made, &with(2)), Ready);
        assert_eq!(judged(&made, &with(1)), not_yet(&format!("{kind}/r 1/2 ready")));
        assert_eq!(judged(&made, &State::default()), not_yet(&format!("{kind}/r does not exist")));
    }
}

#[test]
fn a_job_has_to_complete_unless_its_pods_have_readiness_probes() {
    let with = |spec: Value, status: Value, pod: Option<Pod>| {
        let job = json!({ "metadata": { "name": "j" }, "spec": spec, "status": status });
        let pods = pod.map(|pod| ("p".to_owned(), pod)).into_iter().collect();
        State { jobs: [("j".to_owned(), object(job))].into(), pods, ..State::default() }
    };
    let job = made("batch", "Job", "j", Value::Null);
    let (spec, active) =
        (|| json!({ "completions": 1, "parallelism": 1, "template": {} }), || json!({ "active": 1, "ready": 1 }));
    let complete = json!({ "succeeded": 1, "conditions": [{ "type": "Complete", "status": "True" }] });
    assert_eq!(judged(&job, &with(spec(), complete, None)), Ready);
    assert_eq!(judged(&job, &with(spec(), active(), Some(ready_pod(true, Some("j"))))), Ready);
    let NotYet(why) = judged(&job, &with(spec(), active(), Some(ready_pod(false, Some("j"))))) else {
        panic!("it may still fail")
    };
    assert!(why.starts_with("Job/j has to complete"), "{why}");
    let suspended = json!({ "conditions": [{ "type": "Suspended", "status": "True" }] });
    assert_eq!(judged(&job, &with(json!({ "suspend": true, "template": {} }), suspended, None)), Ready);
    let spent = json!({ "active": 1, "succeeded": 1 });
    assert_ne!(judged(&job, &with(spec(), spent, None)), Ready, "it is about to complete");
}

#[test]
fn a_job_that_was_deleted_after_its_time_to_live_is_not_judged() {
    let mut job = made("batch", "Job", "j", json!({ "ttlSecondsAfterFinished": 0 }));
    assert!(matches!(judged(&job, &State::default()), NotJudged(_)));
    job.generation = Some(1);
    assert_eq!(judged(&job, &State::default()), not_yet("Job/j does not exist"), "the watch is late");
}

#[test]
fn an_unused_claim_does_not_fail_if_its_class_waits_for_a_pod() {
    let claim = made("", "PersistentVolumeClaim", "data", Value::Null);
    let with = |phase: &str| {
        let claim = json!({ "metadata": { "name": "data" }, "status": { "phase": phase } });
        State { claims: [("data".to_owned(), object(claim))].into(), ..State::default() }
    };
    assert_eq!(judged(&claim, &with("Bound")), Ready);
    let mut pending = with("Pending");
    assert_eq!(judged(&claim, &pending), not_yet("PersistentVolumeClaim/data Pending"));
    event(&mut pending, ("PersistentVolumeClaim", "data"), "WaitForFirstConsumer", "waiting for first consumer");
    assert!(matches!(judged(&claim, &pending), NotJudged(_)));
    let user = json!({ "metadata": { "name": "p" }, "spec": { "containers": [], "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": "data" } }] } });
    pending.pods.insert("p".to_owned(), object(user));
    assert_eq!(judged(&claim, &pending), not_yet("PersistentVolumeClaim/data Pending"));
}

#[test]
fn a_load_balancer_is_awaited_if_a_provider_handles_the_service() {
    let service = made("", "Service", "web", json!({ "type": "LoadBalancer" }));
    let with = |status: Value| {
        let service = json!({ "metadata": { "name": "web" }, "status": status });
        State { services: [("web".to_owned(), object(service))].into(), ..State::default() }
    };
    let after = |state: &State, seconds: u64| service.readiness(state, Duration::from_secs(seconds));
    assert_eq!(after(&with(json!({ "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } })), 0), Ready);
    let mut pending = with(json!({ "loadBalancer": {} }));
    assert_eq!(after(&pending, 19), not_yet("Service/web has no load balancer yet"));
    assert_eq!(after(&pending, 20), NotJudged("no load-balancer provider"));
    event(&mut pending, ("Service", "web"), "EnsuringLoadBalancer", "Ensuring load balancer");
    assert!(matches!(after(&pending, 600), NotYet(_)));
    assert_eq!(judged(&made("", "Service", "web", json!({ "type": "ClusterIP" })), &State::default()), Ready);
}

#[test]
fn unknown_kinds_are_not_judged_and_plain_kinds_are_ready() {
    let of = |group: &str, kind: &str| judged(&made(group, kind, "x", Value::Null), &State::default());
    assert_eq!(of("", "ConfigMap"), Ready);
    assert_eq!(of("rbac.authorization.k8s.io", "RoleBinding"), Ready);
    assert_eq!(of("batch", "CronJob"), NotJudged("it creates pods only on its schedule"));
    for (group, kind) in
        [("autoscaling", "HorizontalPodAutoscaler"), ("serving.knative.dev", "Service"), ("example.com", "ConfigMap")]
    {
        assert_eq!(of(group, kind), NotJudged("the meaning of its status is unknown"), "{group} {kind}");
    }
}
