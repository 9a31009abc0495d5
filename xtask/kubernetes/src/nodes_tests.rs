//! An unready node is reported with its own message and the system pod that causes it, and is unrecoverable only if no
//! other node accepts pods.

use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::unrecoverable::Tracker;

/// kubelet's message until a network plugin has written its configuration.
const CNI: &str = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network \
                   plugin returns error: cni plugin not initialized";

fn node(name: &str, ready: &str) -> Node {
    let message = if ready == "True" { "kubelet is posting ready status" } else { CNI };
    let ready = json!({ "type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": message });
    let pressure = json!({ "type": "MemoryPressure", "status": "False" });
    let node = json!({ "metadata": { "name": name }, "status": { "conditions": [pressure, ready] } });
    serde_json::from_value(node).unwrap()
}

fn system_pod(node: &str, status: &Value) -> Pod {
    let spec = json!({ "nodeName": node, "containers": [] });
    let pod =
        json!({ "metadata": { "name": "kindnet-x", "namespace": "kube-system" }, "spec": spec, "status": status });
    serde_json::from_value(pod).unwrap()
}

fn waiting_for(reason: &str, message: &str) -> Value {
    json!({ "phase": "Pending", "containerStatuses": [{ "name": "kindnet-cni", "image": "kindnetd:1", "imageID": "",
        "ready": false, "restartCount": 0, "state": { "waiting": { "reason": reason, "message": message } } }] })
}

/// Returns a namespace with one pod, on this node if any.
fn pod_on(node: Option<&str>, ready: bool) -> State {
    let conditions = json!([{ "type": "Ready", "status": if ready { "True" } else { "False" } }]);
    let pod = json!({ "metadata": { "name": "caesium-0" }, "spec": { "nodeName": node, "containers": [] },
        "status": { "conditions": conditions } });
    State { pods: [("caesium-0".to_owned(), serde_json::from_value(pod).unwrap())].into(), ..State::default() }
}

#[test]
fn an_unready_node_is_reported_with_its_own_message() {
    let nodes = Nodes::still(vec![node("only", "False")], vec![]);
    let trouble = nodes.trouble(&pod_on(None, false)).unwrap();
    assert_eq!(trouble.sentence, format!("Node/only is not ready: {CNI}"));
    assert_eq!((trouble.object.as_str(), trouble.final_after), ("Node/only", Some(UNREADY_AFTER)));
    assert_eq!(Nodes::still(vec![node("only", "True")], vec![]).trouble(&pod_on(None, false)), None, "it is ready");
    assert_eq!(nodes.trouble(&State::default()), None, "nothing waits for it");
    assert_eq!(nodes.trouble(&pod_on(Some("only"), true)), None, "the pod on it is still ready");
    assert_eq!(Nodes::default().trouble(&pod_on(None, false)), None, "no permission to list nodes");
}

#[test]
fn the_system_pod_that_causes_it_is_named_and_shortens_the_wait() {
    let problem =
        |pod: Pod| Nodes::still(vec![node("only", "Unknown")], vec![pod]).trouble(&pod_on(None, false)).unwrap();
    let broken = problem(system_pod("only", &waiting_for("ErrImagePull", "kindnetd:1: not found")));
    let cause = "; in kube-system, Pod/kindnet-x can't start: ErrImagePull, kindnetd:1: not found \
                 (container kindnet-cni with image kindnetd:1)";
    assert_eq!(broken.sentence, format!("Node/only is not ready: {CNI}{cause}"));
    assert_eq!(broken.final_after, Some(BROKEN_AFTER));
    let unhealthy = problem(system_pod("only", &waiting_for("CrashLoopBackOff", "back-off 10s")));
    assert!(unhealthy.sentence.ends_with("Pod/kindnet-x: Pending, kindnet-cni: CrashLoopBackOff"), "{unhealthy:?}");
    assert_eq!(unhealthy.final_after, Some(UNREADY_AFTER), "it may still start");
    let young = problem(system_pod("only", &waiting_for("ContainerCreating", "")));
    assert!(!young.sentence.contains("kube-system"), "{young:?}");
}

#[test]
fn a_node_beside_a_ready_one_is_reported_for_its_own_pods_and_ends_no_wait() {
    let nodes = Nodes::still(vec![node("down", "Unknown"), node("up", "True")], vec![]);
    assert_eq!(nodes.trouble(&pod_on(Some("up"), false)), None);
    assert_eq!(nodes.trouble(&pod_on(None, false)), None, "another node may accept it");
    let trouble = nodes.trouble(&pod_on(Some("down"), false)).unwrap();
    assert!(trouble.sentence.starts_with("Node/down is not ready"), "{trouble:?}");
    assert_eq!(trouble.final_after, None);
    assert_eq!(nodes.unready().len(), 1);
}

#[test]
fn it_is_unrecoverable_after_its_limit_which_restarts_when_it_recovers() {
    let trouble = || Nodes::still(vec![node("only", "False")], vec![]).trouble(&pod_on(None, false));
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    assert_eq!(tracker.look_at_node(trouble(), start), None);
    assert_eq!(tracker.look_at_node(trouble(), start + UNREADY_AFTER / 2), None);
    assert_eq!(tracker.look_at_node(None, start + UNREADY_AFTER / 2), None, "ready for a moment");
    assert_eq!(tracker.look_at_node(trouble(), start + UNREADY_AFTER), None);
    let found = tracker.look_at_node(trouble(), start + UNREADY_AFTER * 2).unwrap();
    assert_eq!(found.object, "Node/only");
}
