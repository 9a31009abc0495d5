//! Which nodes the replicas are on: what `spread_over_nodes` of a topology demands, and what `node_stop` chooses from.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use kubernetes::objects;

/// Names of the replicas by that of their node.
pub type Placement = BTreeMap<String, Vec<String>>;

/// Where these pods are; without those that have no node.
pub fn of(pods: &[Pod]) -> Placement {
    let mut placement = Placement::new();
    for pod in pods {
        if let Some(node) = objects::node(pod) {
            placement.entry(node.to_owned()).or_default().push(pod.name_any());
        }
    }
    placement
}

/// `caesium-0, caesium-2 on Node/worker; caesium-1 on Node/worker2`.
pub fn told(placement: &Placement) -> String {
    let told: Vec<_> = placement.iter().map(|(node, pods)| format!("{} on Node/{node}", pods.join(", "))).collect();
    if told.is_empty() { "none has a node".to_owned() } else { told.join("; ") }
}

/// Checks that the replicas are spread where the topology says so; returns a line for the summary.
///
/// # Errors
/// Where a node runs more replicas than it has to, with where each is.
pub fn check(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<String> {
    if !deployed.topology.spread_over_nodes {
        return Ok(String::new());
    }
    let nodes = cx.run.live()?.nodes.that_take_pods();
    let placement = of(&deployed.replicas());
    spread(&placement, nodes).map_err(anyhow::Error::msg)
}

fn spread(placement: &Placement, nodes: usize) -> Result<String, String> {
    let replicas: usize = placement.values().map(Vec::len).sum();
    if nodes < 2 {
        return Ok("one node takes pods: nothing to spread over".to_owned());
    }
    let most = replicas.div_ceil(nodes);
    match placement.values().find(|pods| pods.len() > most) {
        Some(_) => Err(format!(
            "the replicas are not spread over the {nodes} nodes that take pods, at most {most} on each: {}; give the \
             chart topologySpreadConstraints or a podAntiAffinity, or leave out `spread_over_nodes`",
            told(placement)
        )),
        None => Ok(told(placement)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(counts: &[usize]) -> Placement {
        let pods = |count: usize| (0..count).map(|number| format!("w-{number}")).collect();
        counts.iter().enumerate().map(|(node, count)| (format!("n{node}"), pods(*count))).collect()
    }

    #[test]
    fn no_node_runs_more_replicas_than_it_has_to() {
        for (counts, nodes) in [(vec![1, 1, 1], 3), (vec![2, 1], 2), (vec![2, 2, 1], 3), (vec![1], 3)] {
            spread(&placement(&counts), nodes).unwrap();
        }
        for (counts, nodes) in [(vec![3], 2), (vec![2, 1], 3), (vec![3, 1, 1], 3)] {
            let told = spread(&placement(&counts), nodes).unwrap_err();
            assert!(told.contains("w-0, w-1") && told.contains("topologySpreadConstraints"), "{told}");
        }
        assert!(spread(&placement(&[3]), 1).unwrap().starts_with("one node"), "said, and not failed");
    }
}
