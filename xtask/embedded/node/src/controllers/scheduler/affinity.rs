//! Required affinities and spread constraints, on a cluster of one node, where preferences have no effect.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Node, NodeSelector, NodeSelectorTerm, Pod, PodAffinityTerm};

use super::FilterReason;
use crate::controllers::pods;
use crate::selector;

/// Checks `nodeSelector` and required node affinity.
pub fn node_reason(pod: &Pod, node: &Node) -> Option<FilterReason> {
    let spec = pod.spec.as_ref()?;
    let labels = node.metadata.labels.as_ref();
    let label = |key: &String| labels.and_then(|labels| labels.get(key));
    let selected = spec.node_selector.iter().flatten().all(|(key, value)| label(key) == Some(value));
    let required = affinity(pod)
        .and_then(|a| a.node_affinity.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref());
    if selected && required.is_none_or(|required| selects(required, node)) {
        return None;
    }
    Some(FilterReason::hard("1 node(s) didn't match Pod's node affinity/selector"))
}

/// Returns whether one of the selector's terms matches the node; an empty term matches nothing.
pub fn selects(selector: &NodeSelector, node: &Node) -> bool {
    selector.node_selector_terms.iter().any(|term| term_matches(term, node))
}

fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let name = BTreeMap::from([("metadata.name".to_owned(), node.metadata.name.clone().unwrap_or_default())]);
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let expressions = term.match_expressions.iter().flatten().map(|e| (e, &labels));
    let fields = term.match_fields.iter().flatten().map(|e| (e, &name));
    let mut all = expressions.chain(fields).peekable();
    all.peek().is_some() && all.all(|(e, values)| selector::holds(&e.operator, values.get(&e.key), e.values.as_deref()))
}

/// Checks hard spread constraints for a label that the node lacks. One node is one domain, so there is no skew.
pub fn spread_reason(pod: &Pod, node: &Node) -> Option<FilterReason> {
    let constraints = pod.spec.iter().filter_map(|s| s.topology_spread_constraints.as_ref()).flatten();
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let mut hard = constraints.filter(|c| c.when_unsatisfiable == "DoNotSchedule");
    hard.find(|c| !labels.contains_key(&c.topology_key))?;
    Some(FilterReason::hard("1 node(s) didn't match pod topology spread constraints (missing required label)"))
}

/// Checks required affinity and anti-affinity between pods; all others are on this node.
pub fn pods_reason(pod: &Pod, others: &[&Pod], node: &Node) -> Option<FilterReason> {
    let others: Vec<&&Pod> = others.iter().filter(|other| !pods::is_finished(other)).collect();
    let known =
        |term: &&PodAffinityTerm| node.metadata.labels.iter().flatten().any(|(key, _)| *key == term.topology_key);
    let met = |term: &PodAffinityTerm, whose: &Pod| others.iter().any(|other| applies(term, whose, other));
    if others.iter().any(|other| anti_terms(other).filter(known).any(|term| applies(term, other, pod))) {
        return Some(soft("1 node(s) didn't satisfy existing pods anti-affinity rules"));
    }
    if anti_terms(pod).filter(known).any(|term| met(term, pod)) {
        return Some(soft("1 node(s) didn't match pod anti-affinity rules"));
    }
    // The first pod of a group with affinity to itself may start the group.
    let missed = |term: &PodAffinityTerm| !known(&term) || !met(term, pod) && !applies(term, pod, pod);
    terms(pod).any(missed).then(|| FilterReason::hard("1 node(s) didn't match pod affinity rules"))
}

fn soft(text: &str) -> FilterReason {
    FilterReason { text: text.to_owned(), helped_by_eviction: true }
}

fn applies(term: &PodAffinityTerm, whose: &Pod, other: &Pod) -> bool {
    let own = whose.metadata.namespace.clone().into_iter().collect();
    let namespaces = term.namespaces.clone().filter(|n| !n.is_empty()).unwrap_or(own);
    // A namespace selector is treated as "every namespace": labels of namespaces are ignored.
    let near = term.namespace_selector.is_some() || other.metadata.namespace.iter().any(|n| namespaces.contains(n));
    near && term.label_selector.as_ref().is_some_and(|s| selector::matches(s, other.metadata.labels.as_ref()))
}

fn affinity(pod: &Pod) -> Option<&Affinity> {
    pod.spec.as_ref()?.affinity.as_ref()
}

fn terms(pod: &Pod) -> impl Iterator<Item = &PodAffinityTerm> {
    let rules = affinity(pod).and_then(|a| a.pod_affinity.as_ref());
    rules.into_iter().filter_map(|r| r.required_during_scheduling_ignored_during_execution.as_ref()).flatten()
}

fn anti_terms(pod: &Pod) -> impl Iterator<Item = &PodAffinityTerm> {
    let rules = affinity(pod).and_then(|a| a.pod_anti_affinity.as_ref());
    rules.into_iter().filter_map(|r| r.required_during_scheduling_ignored_during_execution.as_ref()).flatten()
}
