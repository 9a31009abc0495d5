use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::{Value, json};

use crate::controllers::testing::{Simulation, recording};

const NAMESPACE: &str = "s-statefulset";

fn recorded() -> Vec<Value> {
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
    simulation.context.client.modify_stored(kind, NAMESPACE, "s", write).unwrap();
    simulation.settle();
}

/// The recorded scenario: create three, delete the first without grace, roll out, scale to one.
fn replay() -> Simulation {
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
fn the_recorded_events_are_said_in_the_same_order() {
    let simulation = replay();
    let (recorded, own) = (recording::recorded_events(&recorded()), recording::events(&simulation.log()));
    for (object, said) in &recorded {
        // How often the binder says it while a provisioner works is a matter of time.
        let mut said = said.clone();
        let mut said_before = Vec::new();
        said.retain(|what| {
            !what.contains("ExternalProvisioning")
                || !said_before.contains(what) && {
                    said_before.push(what.clone());
                    true
                }
        });
        recording::assert_same(&own[object], &said, object);
    }
    assert_eq!(recorded.keys().collect::<Vec<_>>(), own.keys().collect::<Vec<_>>());
}

#[test]
fn the_recorded_states_are_passed_in_the_same_order() {
    let simulation = replay();
    let mut recorded = recording::recorded_states(&recorded(), "statefulsets", "s");
    // A pod deleted without grace goes in one step here; there, it is marked for a moment first.
    let marked = r#""currentReplicas":2,"currentRevision":"s-#0","observedGeneration":1,"readyReplicas":3"#;
    recorded.retain(|state| !state.contains(marked));
    let own = recording::own_states(&simulation.log(), "StatefulSet", "s");
    recording::assert_same(&own, &recorded, "s");
}
