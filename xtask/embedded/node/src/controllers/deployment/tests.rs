#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use serde_json::{Value, json};

use crate::controllers::testing::{Simulation, recording};

const NAMESPACE: &str = "s-deployment-stuck";

fn change(simulation: &mut Simulation, change: impl Fn(&mut Value)) {
    let write = |deployment: &mut Value| {
        change(deployment);
        true
    };
    let kind = crate::kinds::of::<Deployment>();
    simulation.modify_stored(kind, NAMESPACE, "d", write);
    simulation.settle();
}

/// Moves the time of the last progress back by more than the deadline.
fn let_the_deadline_pass(simulation: &mut Simulation) {
    change(simulation, |deployment| {
        for condition in deployment["status"]["conditions"].as_array_mut().unwrap() {
            condition["lastUpdateTime"] = "2026-01-01T00:00:00Z".into();
        }
    });
}

fn bring_up(simulation: &mut Simulation) {
    for name in simulation.pods(NAMESPACE) {
        if simulation.pod(NAMESPACE, &name).status.is_none_or(|status| status.pod_ip.is_none()) {
            simulation.run(NAMESPACE, &name);
            simulation.ready(NAMESPACE, &name);
        }
    }
}

fn roll_out(strategy: Value) -> Simulation {
    let mut simulation = Simulation::new(NAMESPACE);
    simulation.create::<Deployment>(json!({"metadata": {"name": "d", "namespace": NAMESPACE}, "spec": {
        "replicas": 4, "strategy": strategy, "progressDeadlineSeconds": 600,
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "main", "image": "one"}]}},
    }}));
    simulation.settle();
    bring_up(&mut simulation);
    simulation
}

fn set_image(simulation: &mut Simulation, image: &str) {
    change(simulation, |d| d["spec"]["template"]["spec"]["containers"][0]["image"] = image.into());
}

/// Returns the sizes of the sets by image.
fn sizes(simulation: &Simulation) -> Vec<(String, i32)> {
    let sets = simulation.context.client.list::<ReplicaSet>(Some(NAMESPACE)).into_iter();
    let size = |set: ReplicaSet| {
        let spec = set.spec.unwrap();
        let image = spec.template.unwrap().spec.unwrap().containers[0].image.clone().unwrap();
        (image, spec.replicas.unwrap())
    };
    let mut sizes: Vec<_> = sets.map(size).collect();
    sizes.sort();
    sizes
}

fn progressing(simulation: &Simulation) -> String {
    let deployment: Deployment = simulation.context.client.get(NAMESPACE, "d").unwrap();
    super::conditions::progressing(&deployment).and_then(|c| c.reason.clone()).unwrap()
}

#[test]
fn a_stuck_rollout_takes_the_recorded_steps() {
    let recorded = recording::lines(include_str!("../../../tests/fixtures/lifecycle/deployment-stuck.jsonl"));
    let mut simulation = Simulation::new(NAMESPACE);
    simulation.create_recorded(&recorded, NAMESPACE);
    simulation.settle();
    bring_up(&mut simulation);
    set_image(&mut simulation, "busybox:0.0.0");
    let_the_deadline_pass(&mut simulation);

    assert_eq!(recording::events(&simulation.log()), recording::recorded_events(&recorded));
    let mut own = recording::own_states(&simulation.log(), "Deployment", "d");
    // In the recording, the second set had its pod before the deployment's numbers were written for the first time.
    own.retain(|state| {
        !(state.starts_with('2') && (!state.contains("updated") || state.contains("ReplicaSetUpdated")))
    });
    let created = |state: &String| state.contains("NewReplicaSetCreated") && state.contains("updatedReplicas\":1");
    let mut recorded = recording::recorded_states(&recorded, "deployments", "d");
    recorded.retain(|state| !created(state));
    recording::assert_same(&own, &recorded, "d");
}

#[test]
fn a_rolling_update_respects_surge_and_unavailability() {
    let mut simulation =
        roll_out(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}));
    set_image(&mut simulation, "two");
    let pair = |one, two| vec![("one".to_owned(), one), ("two".to_owned(), two)];
    assert_eq!(sizes(&simulation), pair(3, 2));
    bring_up(&mut simulation);
    for _ in 0..4 {
        stop_terminating(&mut simulation);
        bring_up(&mut simulation);
    }
    assert_eq!(sizes(&simulation), pair(0, 4));
    assert_eq!(progressing(&simulation), "NewReplicaSetAvailable");
}

fn stop_terminating(simulation: &mut Simulation) {
    for name in simulation.pods(NAMESPACE) {
        if simulation.pod(NAMESPACE, &name).metadata.deletion_timestamp.is_some() {
            simulation.stop(NAMESPACE, &name);
        }
    }
}

#[test]
fn a_recreation_waits_for_the_last_old_pod() {
    let mut simulation = roll_out(json!({"type": "Recreate"}));
    set_image(&mut simulation, "two");
    assert_eq!(sizes(&simulation), [("one".to_owned(), 0)]);
    let names = simulation.pods(NAMESPACE);
    for (n, name) in names.iter().enumerate() {
        assert_eq!(sizes(&simulation).len(), 1, "{n} of the old are gone");
        simulation.stop(NAMESPACE, name);
    }
    bring_up(&mut simulation);
    assert_eq!(sizes(&simulation), [("one".to_owned(), 0), ("two".to_owned(), 4)]);
    assert_eq!(progressing(&simulation), "NewReplicaSetAvailable");
}

#[test]
fn a_rollback_reuses_the_old_set() {
    let mut simulation = roll_out(json!({"type": "RollingUpdate"}));
    set_image(&mut simulation, "broken");
    let_the_deadline_pass(&mut simulation);
    assert_eq!(progressing(&simulation), "ProgressDeadlineExceeded");
    set_image(&mut simulation, "one");
    bring_up(&mut simulation);
    assert_eq!(sizes(&simulation), [("broken".to_owned(), 0), ("one".to_owned(), 4)]);
    let deployment: Deployment = simulation.context.client.get(NAMESPACE, "d").unwrap();
    assert_eq!(deployment.metadata.annotations.unwrap()["deployment.kubernetes.io/revision"], "3");
    stop_terminating(&mut simulation);
    assert_eq!(progressing(&simulation), "NewReplicaSetAvailable");
}

#[test]
fn a_paused_rollout_is_scaled_in_proportion() {
    let mut simulation =
        roll_out(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}));
    set_image(&mut simulation, "two");
    change(&mut simulation, |d| d["spec"]["paused"] = true.into());
    assert_eq!(progressing(&simulation), "DeploymentPaused");
    change(&mut simulation, |d| d["spec"]["replicas"] = 10.into());
    assert_eq!(sizes(&simulation), [("one".to_owned(), 8), ("two".to_owned(), 4)]);
    change(&mut simulation, |d| d["spec"]["paused"] = false.into());
    assert_eq!(sizes(&simulation).iter().map(|(_, size)| size).sum::<i32>(), 12);
}

#[test]
fn old_sets_beyond_the_history_limit_are_deleted() {
    let mut simulation = roll_out(json!({"type": "Recreate"}));
    change(&mut simulation, |d| d["spec"]["revisionHistoryLimit"] = 1.into());
    for image in ["two", "three", "four"] {
        set_image(&mut simulation, image);
        stop_terminating(&mut simulation);
        bring_up(&mut simulation);
    }
    let images: Vec<String> = sizes(&simulation).into_iter().map(|(image, _)| image).collect();
    assert_eq!(images, ["four", "three"]);
}
