//! How a node becomes a member: it founds a cluster, or asks until it is admitted.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use anyhow::Result;
use openraft::error::{InitializeError, RaftError};

use crate::faults::Fault;
use crate::log;
use crate::node::Node;
use crate::raft::Member;
use crate::raft::network::connect;
use crate::raft::wire::{self, Answer, Envelope, Request};

const RETRY: Duration = Duration::from_millis(200);
/// How long a peer may take to admit this node.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Makes the node a member; retries forever.
pub async fn join(node: &Node) -> Result<()> {
    if node.identity.joining {
        ask_until_joined(node).await;
        return node.identity.joined();
    }
    let member = Member { address: node.config.node_address.to_string(), standby: false };
    match node.raft.initialize(std::collections::BTreeMap::from([(node.id, member)])).await {
        Ok(()) => log::info(format_args!("bootstrapped a cluster as node {}", node.id)),
        Err(RaftError::APIError(InitializeError::NotAllowed(_))) => log::debug("already a member of a cluster"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn ask_until_joined(node: &Node) {
    log::info(format_args!("joining through {}", node.identity.peers.join(", ")));
    if node.config.faults.has(Fault::StuckJoin) {
        log::warn("fault stuck-join: joining forever");
        return std::future::pending().await;
    }
    let mut reasons = HashMap::new();
    loop {
        for peer in &node.identity.peers {
            let Err(reason) = ask(node, peer).await else {
                return log::info(format_args!("joined through {peer} as spare"));
            };
            if reasons.get(peer) != Some(&reason) {
                log::info(format_args!("not joined yet: {peer}: {reason}"));
                reasons.insert(peer, reason);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Asks a peer, and then the leader that it names.
async fn ask(node: &Node, peer: &str) -> Result<(), String> {
    let answer = match request(node, peer).await {
        Ok(Answer::AskLeader(Some(leader))) => request(node, &leader).await,
        other => other,
    };
    match answer {
        Ok(Answer::Joined) => Ok(()),
        Ok(Answer::AskLeader(_)) => Err("no leader known".to_owned()),
        Ok(Answer::Failed(reason)) => Err(reason),
        Ok(other) => Err(format!("unexpected response {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

async fn request(node: &Node, address: &str) -> io::Result<Answer> {
    let mut stream = connect(address).await?;
    let request = Request::Join { id: node.id, address: node.config.node_address.to_string() };
    tokio::time::timeout(ANSWER_MAX, wire::ask(&mut stream, &Envelope { to: None, request })).await?
}
