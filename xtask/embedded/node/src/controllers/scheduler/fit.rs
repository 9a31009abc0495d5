//! Whether a node accepts a pod at all, and whether there is room for its requests.

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

use super::FilterReason;
use crate::controllers::pods;
use resources::pod_requests::{self, Amounts};

/// Checks for a cordoned node and for taints that the pod does not tolerate.
pub fn node_reason(pod: &Pod, node: &Node) -> Option<FilterReason> {
    let spec = node.spec.as_ref()?;
    let cordon =
        Taint { key: "node.kubernetes.io/unschedulable".into(), effect: "NoSchedule".into(), ..Taint::default() };
    if spec.unschedulable == Some(true) && !is_tolerated(pod, &cordon) {
        return Some(FilterReason::hard("1 node(s) were unschedulable"));
    }
    has_untolerated_taint(pod, node, &["NoSchedule", "NoExecute"])
        .then(|| FilterReason::hard("1 node(s) had untolerated taint(s)"))
}

/// Returns whether a node has a taint of one of these effects that the pod does not tolerate.
pub fn has_untolerated_taint(pod: &Pod, node: &Node, effects: &[&str]) -> bool {
    let mut taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.any(|taint| effects.contains(&taint.effect.as_str()) && !is_tolerated(pod, taint))
}

fn is_tolerated(pod: &Pod, taint: &Taint) -> bool {
    let mut tolerations = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten());
    tolerations.any(|toleration| tolerates(toleration, taint))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let exists = toleration.operator.as_deref() == Some("Exists");
    let same_value = toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
    (effect.is_empty() || effect == taint.effect)
        && (key == taint.key || key.is_empty() && exists)
        && (exists || same_value)
}

/// Checks whether the pod's requests fit beside those of `others`, which are on the node.
pub fn resources(pod: &Pod, others: &[&Pod], node: &Node) -> Option<FilterReason> {
    let allocatable = node.status.as_ref()?.allocatable.as_ref()?;
    let allocatable = pod_requests::parse(allocatable);
    let running: Vec<_> = others.iter().filter(|other| !pods::is_finished(other)).collect();
    let mut used = Amounts::new();
    running
        .iter()
        .filter_map(|other| other.spec.as_ref())
        .for_each(|spec| pod_requests::add(&mut used, &pod_requests::of(spec)));
    let wanted = pod_requests::of(pod.spec.as_ref()?);
    let capacity = |name: &str| allocatable.get(name).copied().unwrap_or_default();
    let short: Vec<&String> = wanted
        .iter()
        .filter(|(name, amount)| {
            **amount > 0 && capacity(name).saturating_sub(used.get(*name).copied().unwrap_or(0)) < **amount
        })
        .map(|(name, _)| name)
        .collect();
    let mut texts: Vec<String> = short.iter().map(|name| format!("1 Insufficient {name}")).collect();
    let count = i64::try_from(running.len()).unwrap_or(i64::MAX).saturating_mul(1000);
    if allocatable.get("pods").is_some_and(|pods| *pods <= count) {
        texts.push("1 Too many pods".to_owned());
    }
    let helped_by_eviction = short.iter().all(|name| wanted[*name] <= capacity(name));
    (!texts.is_empty()).then(|| FilterReason { text: texts.join(", "), helped_by_eviction })
}
