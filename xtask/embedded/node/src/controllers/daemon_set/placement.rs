//! Which nodes get a pod, and what that pod looks like.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec};
use k8s_openapi::api::core::v1::{
    Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, Toleration,
};

use super::NodePods;
use crate::controllers::{pods, replica_set, revisions, scheduler};

/// The label of a pod with the number of its template.
const GENERATION_LABEL: &str = "pod-template-generation";

/// The taints that the pods of every daemon set tolerate.
const TOLERATED: &[(&str, &str)] = &[
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Returns the nodes with the set's pods there; pods of a node that is gone may not stay.
pub fn nodes(spec: &DaemonSetSpec, nodes: &[Node], pods: Vec<Pod>) -> Vec<NodePods> {
    let mut pods = super::by_node(pods);
    let template = spec.template.spec.clone().unwrap_or_default();
    let likeness = Pod { spec: Some(tolerant(template)), ..Pod::default() };
    let place = |node: &Node| {
        let name = node.metadata.name.clone().unwrap_or_default();
        let fits = fits(&likeness, node, &name);
        NodePods {
            is_wanted: fits && !scheduler::has_untolerated_taint(&likeness, node, &["NoSchedule", "NoExecute"]),
            may_stay: fits && !scheduler::has_untolerated_taint(&likeness, node, &["NoExecute"]),
            pods: pods.remove(&name).unwrap_or_default(),
            node: name,
        }
    };
    let mut places: Vec<NodePods> = nodes.iter().map(place).collect();
    let lost = pods.into_iter().map(|(node, pods)| NodePods { node, is_wanted: false, may_stay: false, pods });
    places.extend(lost);
    places
}

fn fits(likeness: &Pod, node: &Node, name: &str) -> bool {
    pods::node(likeness).is_none_or(|wanted| wanted == name) && scheduler::affinity_reason(likeness, node).is_none()
}

/// Returns the node that a pod is bound to, or was made for.
pub fn node_of(pod: &Pod) -> Option<&str> {
    pods::node(pod).or_else(|| {
        let affinity = pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
        let terms = &affinity.required_during_scheduling_ignored_during_execution.as_ref()?.node_selector_terms;
        let mut fields = terms.iter().flat_map(|term| term.match_fields.iter().flatten());
        let named = fields.find(|field| field.key == "metadata.name")?;
        named.values.as_ref()?.first().map(String::as_str)
    })
}

/// Returns the pod of a set for a node, with the hash and the number of its template.
pub fn pod(set: &DaemonSet, spec: &DaemonSetSpec, node: &str, (hash, revision): (&str, i64)) -> Pod {
    let template = spec.template.clone();
    let spec = tolerant(template.spec.unwrap_or_default());
    let mut pod = replica_set::from_template(set, template.metadata, Some(bound(spec, node)));
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(revisions::LABEL.to_owned(), hash.to_owned());
    labels.insert(GENERATION_LABEL.to_owned(), revision.to_string());
    pod
}

fn tolerant(mut spec: PodSpec) -> PodSpec {
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in TOLERATED {
        let toleration = Toleration {
            key: Some((*key).to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some((*effect).to_owned()),
            ..Toleration::default()
        };
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    spec
}

/// Restricts a pod to one node: the scheduler binds it there.
fn bound(mut spec: PodSpec, node: &str) -> PodSpec {
    let field = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let only = NodeSelectorTerm { match_fields: Some(vec![field]), match_expressions: None };
    let affinity = spec.affinity.get_or_insert_default().node_affinity.get_or_insert_with(NodeAffinity::default);
    affinity.required_during_scheduling_ignored_during_execution =
        Some(NodeSelector { node_selector_terms: vec![only] });
    spec
}
