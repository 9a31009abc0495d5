//! Runs a node, from its listeners to its last request.

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::faults::Fault;
use crate::node::Node;
use crate::peer_server;
use crate::statements::Statement;
use crate::{crash, http, join, log, membership, shutdown};

/// Runs a node until SIGTERM has drained it.
pub async fn node(config: Config) -> Result<()> {
    let mut signals = shutdown::Signals::new(config.faults.has(Fault::SigtermIgnored))?;
    crash::plant(&config.faults, &config.path)?;
    let address = config.node_address;
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("raft can't listen on CAESIUM_NODE_ADDRESS {address}"))?;
    let node = Node::open(config).await?;
    log::info(format_args!("raft listening on {address}"));
    tokio::spawn(peer_server::serve(listener, node.clone()));
    tokio::spawn(membership::watch(node.clone()));
    let watched = node.clone();
    tokio::spawn(async move { watched.watch_sleep().await });
    tokio::spawn(membership::stand_in_turn(node.clone()));
    join::join(&node).await?;
    tokio::spawn(membership::keep_addresses(node.clone()));
    tokio::spawn(membership::keep_roles(node.clone()));
    tokio::select! {
        _ = node.run(Statement::Ping) => log::info("database answers"),
        () = signals.terminate() => return Ok(()),
    }
    http::serve(node, signals).await
}
