#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

use crate::controllers::stateful_set::tests as stateful_set;
use crate::controllers::testing::{Simulation, is_of};
use crate::registry::DeleteOptions;

/// Returns a slice's endpoints by host name, each with its conditions.
fn shown(endpoints: &Value) -> String {
    let flags = |conditions: &Value| {
        let held = ["ready", "serving", "terminating"].into_iter().filter(|flag| conditions[*flag] == true);
        held.collect::<Vec<_>>().join("+")
    };
    let all = endpoints.as_array().into_iter().flatten();
    all.map(|e| format!("{} {}", e["hostname"].as_str().unwrap_or("-"), flags(&e["conditions"])))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn a_slice_passes_the_recorded_states() {
    let recorded = stateful_set::recorded();
    let slices = recorded.iter().filter(|line| line["kind"] == "endpointslices");
    let mut recorded: Vec<String> = slices.map(|line| shown(&line["endpoints"])).collect();
    // A pod deleted without grace is removed in one step here; in the recording, it is marked for a moment first.
    recorded.retain(|state| state != "s-0 ready+serving+terminating, s-1 ready+serving, s-2 ready+serving");
    let log = stateful_set::replay().log();
    let slices = log.iter().filter(|change| is_of(change, "EndpointSlice"));
    let own: Vec<String> = slices.map(|change| shown(&change.object["endpoints"])).collect();
    assert_eq!(own, recorded);
}

fn service(spec: Value) -> Simulation {
    let simulation = Simulation::new("a");
    let mut service = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": spec});
    service["spec"]["selector"] = json!({"app": "web"});
    simulation.create::<Service>(service);
    simulation
}

fn add_pod(simulation: &mut Simulation, name: &str, port: i32) {
    simulation.create::<Pod>(json!({
        "metadata": {"name": name, "namespace": "a", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "one", "ports": [{"name": "http", "containerPort": port}]}]},
    }));
    simulation.settle();
    simulation.run("a", name);
}

/// Returns ready and unready addresses with the ports, from the older kind.
fn subsets(simulation: &Simulation) -> String {
    let endpoints: Endpoints = simulation.context.client.get("a", "web").unwrap();
    let text = |subset: k8s_openapi::api::core::v1::EndpointSubset| {
        let ips = |list: Option<Vec<k8s_openapi::api::core::v1::EndpointAddress>>| {
            list.into_iter().flatten().map(|address| address.ip).collect::<Vec<_>>().join(" ")
        };
        let ports: Vec<i32> = subset.ports.into_iter().flatten().map(|port| port.port).collect();
        format!("{} | {} : {ports:?}", ips(subset.addresses), ips(subset.not_ready_addresses))
    };
    endpoints.subsets.into_iter().flatten().map(text).collect::<Vec<_>>().join("; ")
}

#[test]
fn only_ready_pods_are_included_unless_the_service_publishes_all() {
    for (publish, before, ending) in
        [(false, " | 10.244.0.1 : [80]", ""), (true, "10.244.0.1 |  : [80]", "10.244.0.1 |  : [80]")]
    {
        let mut simulation = service(json!({"ports": [{"port": 80}], "publishNotReadyAddresses": publish}));
        add_pod(&mut simulation, "one", 80);
        assert_eq!(subsets(&simulation), before);
        simulation.ready("a", "one");
        assert_eq!(subsets(&simulation), "10.244.0.1 |  : [80]");
        simulation.delete::<Pod>("a", "one", &DeleteOptions::default());
        simulation.settle();
        assert_eq!(subsets(&simulation), ending);
    }
}

#[test]
fn each_pod_resolves_a_named_port_itself() {
    let mut simulation = service(json!({"ports": [{"port": 80, "targetPort": "http"}]}));
    for (name, port) in [("one", 8080), ("two", 9090), ("three", 8080)] {
        add_pod(&mut simulation, name, port);
        simulation.ready("a", name);
    }
    assert_eq!(subsets(&simulation), "10.244.0.1 10.244.0.3 |  : [8080]; 10.244.0.2 |  : [9090]");
    let slices = || simulation.context.client.list::<EndpointSlice>(Some("a"));
    assert_eq!(slices().len(), 2);
    simulation.delete::<Service>("a", "web", &DeleteOptions::default());
    let client = simulation.context.client.clone();
    simulation.settle();
    assert!(client.list::<EndpointSlice>(Some("a")).is_empty() && client.get::<Endpoints>("a", "web").is_none());
}

#[test]
fn a_pod_that_loses_the_label_is_removed() {
    let mut simulation = service(json!({"ports": [{"port": 80}]}));
    add_pod(&mut simulation, "one", 80);
    simulation.ready("a", "one");
    let relabel = |pod: &mut Pod| pod.metadata.labels.take().is_some();
    simulation.modify("a", "one", relabel);
    simulation.settle();
    assert_eq!(subsets(&simulation), "");
    let slices = simulation.context.client.list::<EndpointSlice>(Some("a"));
    assert!(slices.len() == 1 && slices[0].endpoints.is_none(), "{slices:?}");
}
