//! The Raft port: handles requests of the other nodes.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use crate::log;
use crate::node::Node;
use crate::raft::wire::{self, Answer, Envelope, Request};

/// Serves the port until the process ends.
pub async fn serve(listener: TcpListener, node: Arc<Node>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, node.clone()))),
            Err(error) => {
                log::warn(format_args!("raft connection not accepted: {error}"));
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(mut stream: TcpStream, node: Arc<Node>) {
    if let Err(error) = conversation(&mut stream, &node).await {
        log::debug(format_args!("raft connection ended: {error}"));
    }
}

async fn conversation(stream: &mut TcpStream, node: &Arc<Node>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(envelope) = wire::read::<Envelope>(stream).await? {
        if matches!(envelope.request, Request::Append(_) | Request::Vote(_)) {
            node.peers.hear();
        }
        node.peers.reachable()?;
        let answer = match envelope.to {
            Some(to) if to != node.id => Answer::WrongNode(node.id),
            _ => answer(node, envelope.request).await,
        };
        node.peers.reachable()?;
        wire::write(stream, &answer).await?;
    }
    Ok(())
}

async fn answer(node: &Arc<Node>, request: Request) -> Answer {
    match request {
        Request::Append(rpc) => Answer::Append(node.raft.append_entries(rpc).await),
        Request::Vote(rpc) => Answer::Vote(node.raft.vote(rpc).await),
        Request::Snapshot(rpc) => Answer::Snapshot(node.raft.install_snapshot(rpc).await),
        Request::Join { id, address } => node.admit(id, &address).await,
        Request::Announce { id, address } => node.note_address(id, &address),
        Request::Run(statement) => Answer::Ran(node.run_as_leader(statement).await),
    }
}
