//! The nodes that the replicas run on, for a topology's `spread_over_nodes` and for `node_stop`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use kubernetes::objects;

/// The names of the replicas, by node.
pub type Placement = BTreeMap<String, Vec<String>>;

/// Returns the placement of these pods, without those that have no node.
pub fn of(pods: &[Pod]) -> Placement {
    let mut placement = Placement::new();
    for pod in pods {
        if let Some(node) = objects::node(pod) {
            placement.entry(node.to_owned()).or_default().push(pod.name_any());
        }
    }
    placement
}

/// Formats a placement, such as `caesium-0, caesium-2 on Node/worker; caesium-1 on Node/worker2`.
pub fn describe(placement: &Placement) -> String {
    let nodes: Vec<_> = placement.iter().map(|(node, pods)| format!("{} on Node/{node}", pods.join(", "))).collect();
    if nodes.is_empty() { "no replica has a node".to_owned() } else { nodes.join("; ") }
}

/// Checks that the replicas are spread, if the topology requires it; returns a line for the summary.
///
/// # Errors
/// If a node runs more replicas than necessary.
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
        return Ok("only one node accepts pods, so replicas can't spread".to_owned());
    }
    let most = replicas.div_ceil(nodes);
    match placement.values().find(|pods| pods.len() > most) {
        Some(_) => Err(format!(
            "the replicas are not spread over the {nodes} nodes that accept pods, at most {most} on each: {}; give the \
             chart topologySpreadConstraints or a podAntiAffinity, or leave out `spread_over_nodes`",
            describe(placement)
        )),
        None => Ok(describe(placement)),
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
    fn no_node_runs_more_replicas_than_necessary() {
        for (counts, nodes) in [(vec![1, 1, 1], 3), (vec![2, 1], 2), (vec![2, 2, 1], 3), (vec![1], 3)] {
            spread(&placement(&counts), nodes).unwrap();
        }
        for (counts, nodes) in [(vec![3], 2), (vec![2, 1], 3), (vec![3, 1, 1], 3)] {
            let error = spread(&placement(&counts), nodes).unwrap_err();
            assert!(error.contains("w-0, w-1") && error.contains("topologySpreadConstraints"), "{error}");
        }
        assert!(spread(&placement(&[3]), 1).unwrap().starts_with("only one node"), "a note, not a failure");
    }
}
