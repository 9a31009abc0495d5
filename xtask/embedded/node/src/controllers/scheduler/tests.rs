#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use crate::controllers::testing::{Simulation, recording};
use crate::controllers::{NODE, pods};
use crate::faults::PlantedFaults;

fn pod(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "a", "labels": {"app": name}}, "spec": spec})
}

fn requests(cpu: &str) -> Value {
    json!({"containers": [{"name": "main", "image": "i", "resources": {"requests": {"cpu": cpu}}}]})
}

/// Returns the scheduler's message about a pod, or `bound`.
fn verdict(simulation: &Simulation, name: &str) -> String {
    let pod = simulation.pod("a", name);
    match pods::condition(&pod, "PodScheduled") {
        Some(condition) if condition.status == "True" => "bound".to_owned(),
        Some(condition) => condition.message.clone().unwrap_or_default(),
        None => "no condition".to_owned(),
    }
}

#[test]
fn rejections_have_the_recorded_messages() {
    for (scenario, name, text) in [
        ("s-unschedulable", "big", include_str!("../../../tests/fixtures/lifecycle/unschedulable.jsonl")),
        ("s-pvc-no-class", "p", include_str!("../../../tests/fixtures/lifecycle/pvc-no-class.jsonl")),
    ] {
        let recorded = recording::lines(text);
        let mut simulation = Simulation::new(scenario);
        simulation.create_recorded(&recorded, scenario);
        simulation.settle();
        let (own, mut wanted) = (recording::events(&simulation.log()), recording::recorded_events(&recorded));
        // Events that repeat after some time.
        wanted.values_mut().for_each(Vec::dedup);
        assert_eq!(own, wanted, "{scenario}");
        let conditions = |states: Vec<String>| {
            states
                .into_iter()
                .map(|s| {
                    s[s.find("\"conditions\"").unwrap()..s.find(']').unwrap()].replace("\"lastProbeTime\":null,", "")
                })
                .collect::<Vec<_>>()
        };
        let own = conditions(recording::own_states(&simulation.log(), "Pod", name));
        recording::assert_same(&own, &conditions(recording::recorded_states(&recorded, "pods", name)), name);
    }
}

#[test]
fn freed_resources_are_used() {
    let mut simulation = Simulation::new("a");
    simulation.create::<Pod>(pod("first", requests("1500m")));
    simulation.settle();
    simulation.create::<Pod>(pod("second", requests("1")));
    simulation.settle();
    assert_eq!(verdict(&simulation, "first"), "bound");
    let refusal = verdict(&simulation, "second");
    assert!(refusal.ends_with("1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."), "{refusal}");
    simulation.end("a", "first", "Succeeded");
    assert_eq!(verdict(&simulation, "second"), "bound");
}

#[test]
fn each_reason_against_a_node_is_reported() {
    let term = |key: &str, operator: &str, values: Value| json!({"key": key, "operator": operator, "values": values});
    let node_affinity = |term: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}}});
    let between = |kind: &str, app: &str| {
        json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}},
        ]}}})
    };
    let selector = "1 node(s) didn't match Pod's node affinity/selector";
    for (mut spec, expected) in [
        (json!({"nodeSelector": {"disk": "ssd"}}), selector),
        (json!({"nodeSelector": {"kubernetes.io/hostname": NODE}}), "bound"),
        (node_affinity(term("disk", "In", json!(["ssd"]))), selector),
        (node_affinity(term("kubernetes.io/hostname", "Exists", json!([]))), "bound"),
        (node_affinity(term("disk", "DoesNotExist", json!([]))), "bound"),
        (between("podAntiAffinity", "other"), "1 node(s) didn't match pod anti-affinity rules"),
        (between("podAntiAffinity", "nobody"), "bound"),
        (between("podAffinity", "other"), "bound"),
        (between("podAffinity", "p"), "bound"),
        (between("podAffinity", "nobody"), "1 node(s) didn't match pod affinity rules"),
        (
            json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}),
            "1 node(s) didn't match pod topology spread constraints (missing required label)",
        ),
        (
            json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]}),
            "bound",
        ),
        (
            json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}]}),
            "persistentvolumeclaim \"none\" not found",
        ),
        (json!({"schedulerName": "another"}), "no condition"),
    ] {
        let mut simulation = Simulation::new("a");
        simulation.create::<Pod>(pod("other", requests("1m")));
        simulation.settle();
        spec["containers"] = json!([{"name": "main", "image": "i"}]);
        simulation.create::<Pod>(pod("p", spec.clone()));
        simulation.settle();
        let verdict = verdict(&simulation, "p");
        assert!(verdict.contains(expected), "{spec}: {verdict}");
    }
}

#[test]
fn a_cordoned_node_accepts_only_pods_that_tolerate_it() {
    let mut simulation = Simulation::new("a");
    let cordon = |node: &mut Node| {
        node.spec.get_or_insert_default().unschedulable = Some(true);
        true
    };
    simulation.modify("", NODE, cordon);
    simulation.create::<Pod>(pod("p", requests("1m")));
    let mut tolerant = requests("1m");
    tolerant["tolerations"] = json!([{"operator": "Exists"}]);
    simulation.create::<Pod>(pod("tolerant", tolerant));
    simulation.settle();
    assert!(verdict(&simulation, "p").contains("1 node(s) were unschedulable"));
    assert_eq!(verdict(&simulation, "tolerant"), "bound");
    let uncordon = |node: &mut Node| node.spec.get_or_insert_default().unschedulable.take().is_some();
    simulation.modify("", NODE, uncordon);
    simulation.settle();
    assert_eq!(verdict(&simulation, "p"), "bound");
}

#[test]
fn a_planted_fault_leaves_no_room_while_it_lasts() {
    let mut simulation = Simulation::new("a");
    simulation.context.faults =
        PlantedFaults::new(serde_json::from_value(json!([{"fault": "nodeFull", "of": "p", "times": 1}])).unwrap());
    simulation.create::<Pod>(pod("p", requests("1m")));
    simulation.settle();
    assert!(verdict(&simulation, "p").contains("1 Insufficient cpu, 1 Insufficient memory"));
    simulation.later();
    assert_eq!(verdict(&simulation, "p"), "bound");
}
