//! Whether a node takes a pod at all, and whether there is room for what it requests.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::Reason;
use crate::controllers::pods;
use crate::quantity;

/// Thousandths of each resource.
type Amounts = BTreeMap<String, i64>;

/// A cordoned node, or a taint that the pod does not tolerate.
pub fn node_reason(pod: &Pod, node: &Node) -> Option<Reason> {
    let spec = node.spec.as_ref()?;
    let tolerations = pod.spec.iter().filter_map(|s| s.tolerations.as_ref()).flatten().collect::<Vec<_>>();
    let cordon =
        Taint { key: "node.kubernetes.io/unschedulable".into(), effect: "NoSchedule".into(), ..Taint::default() };
    let tolerated = |taint: &Taint| tolerations.iter().any(|toleration| tolerates(toleration, taint));
    if spec.unschedulable == Some(true) && !tolerated(&cordon) {
        return Some(Reason::hard("1 node(s) were unschedulable"));
    }
    let keeps_out = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute") && !tolerated(taint);
    spec.taints.iter().flatten().find(keeps_out)?;
    Some(Reason::hard("1 node(s) had untolerated taint(s)"))
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

/// What is missing for the pod's requests beside those of `others`, which are on the node.
pub fn resources(pod: &Pod, others: &[&Pod], node: &Node) -> Option<Reason> {
    let allocatable = node.status.as_ref()?.allocatable.as_ref()?;
    let allocatable: Amounts = parse(allocatable);
    let running: Vec<_> = others.iter().filter(|other| !pods::is_finished(other)).collect();
    let mut used = Amounts::new();
    running.iter().filter_map(|other| other.spec.as_ref()).for_each(|spec| add(&mut used, &requests(spec)));
    let wanted = requests(pod.spec.as_ref()?);
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
    (!texts.is_empty()).then(|| Reason { text: texts.join(", "), helped_by_eviction })
}

/// What a pod asks for: the sum over its containers, or an init container's own where that is more.
fn requests(spec: &PodSpec) -> Amounts {
    let mut sum = Amounts::new();
    let of = |c: &k8s_openapi::api::core::v1::Container| {
        c.resources.as_ref().and_then(|r| r.requests.as_ref().or(r.limits.as_ref())).map(parse).unwrap_or_default()
    };
    spec.containers.iter().for_each(|container| add(&mut sum, &of(container)));
    let init = spec.init_containers.iter().flatten();
    let (sidecars, init): (Vec<_>, Vec<_>) = init.partition(|c| c.restart_policy.as_deref() == Some("Always"));
    for sidecar in sidecars {
        add(&mut sum, &of(sidecar));
    }
    for (name, amount) in init.into_iter().flat_map(of) {
        let most = sum.entry(name).or_default();
        *most = amount.max(*most);
    }
    sum
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let total = sum.entry(name.clone()).or_default();
        *total = total.saturating_add(*amount);
    }
}

fn parse(quantities: &BTreeMap<String, Quantity>) -> Amounts {
    quantities.iter().filter_map(|(name, quantity)| Some((name.clone(), quantity::milli(quantity)?))).collect()
}
