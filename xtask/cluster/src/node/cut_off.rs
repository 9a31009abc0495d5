//! A node of kind that no packet of the other nodes reaches: rules of iptables on its interface to them.

use process::CommandError;

use super::docker::DockerOfNodes;
use super::packet_rules::{IPTABLES, Network, Rule};

/// The interface to the other nodes, by chain.
const WAYS: [(&str, [&str; 2]); 4] = [
    ("INPUT", ["--in-interface", "eth0"]),
    ("OUTPUT", ["--out-interface", "eth0"]),
    ("FORWARD", ["--in-interface", "eth0"]),
    ("FORWARD", ["--out-interface", "eth0"]),
];

pub(super) async fn make(docker: DockerOfNodes<'_>, node: &str) -> Result<(), CommandError> {
    Network { docker, node, pid: None }.insert(&rules()).await
}

pub(super) async fn undo(docker: DockerOfNodes<'_>, node: &str) -> Result<(), CommandError> {
    Network { docker, node, pid: None }.delete(&rules()).await
}

/// Returns how many packets were dropped so far.
pub(super) async fn hits(docker: DockerOfNodes<'_>, node: &str) -> Result<u64, CommandError> {
    let network = Network { docker, node, pid: None };
    let mut packets = 0;
    for chain in ["INPUT", "OUTPUT", "FORWARD"] {
        packets += network.dropped(chain).await?;
    }
    Ok(packets)
}

fn rules() -> Vec<Rule> {
    let ways = IPTABLES.iter().flat_map(|program| WAYS.map(|(chain, interface)| (program, chain, interface)));
    ways.map(|(program, chain, interface)| Rule::new(program, chain, &interface, "DROP")).collect()
}
