//! `pods/portforward` over a WebSocket (`v4.channel.k8s.io`): for each port a channel for data and one for its error,
//! each opened with the port's number.

use std::io::ErrorKind;

use axum::body::Bytes;
use axum::extract::ws::WebSocket;
use axum::response::Response;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

use super::channels::{self, Incoming, Outgoing};
use super::path::Target;
use super::{State, body, exec, pod, request, spdy};
use crate::status::Status;

/// Each port has two channels, whose numbers must fit a byte.
const PORTS_MAX: usize = 127;

/// Handles a request to forward ports of a pod.
///
/// A WebSocket that tunnels SPDY is rejected: kubectl then requests SPDY itself.
pub async fn answer(state: &State, target: &Target, request: axum::extract::Request) -> Result<Response, Status> {
    let pod = pod::of(state, target)?;
    if pod["status"]["phase"] != "Running" {
        let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
        return Err(body::bad(format!("unable to forward port because pod is not running. Current status={phase}")));
    }
    let is_to_drop = state.faults.drops_port_forward(target.name.as_deref().unwrap_or_default());
    if spdy::is_requested(&request) {
        return if is_to_drop {
            Err(Status::new(500, "InternalError", "planted"))
        } else {
            spdy::answer(state, pod, request)
        };
    }
    let ports = ports(&request)?;
    let upgrade = exec::upgrade(request, ["v4.channel.k8s.io"]).await?;
    let state = state.clone();
    Ok(upgrade.on_upgrade(move |socket| async move {
        if !is_to_drop {
            forward(&state, socket, &pod, &ports).await;
        }
    }))
}

/// Returns the ports of a query: `ports=80,81`.
fn ports(request: &axum::extract::Request) -> Result<Vec<u16>, Status> {
    let query = request::query(request.uri())?;
    let listed = query.iter().filter(|(name, _)| matches!(name.as_str(), "ports" | "port"));
    let ports: Result<Vec<u16>, _> = listed.flat_map(|(_, value)| value.split(',')).map(str::parse).collect();
    let ports = ports.map_err(|_| body::bad("port must be a number between 1 and 65535"))?;
    if ports.is_empty() || ports.len() > PORTS_MAX {
        return Err(body::bad("query parameter \"ports\" is required"));
    }
    Ok(ports)
}

async fn forward(state: &State, socket: WebSocket, pod: &Value, ports: &[u16]) {
    let (mut client, out, sender) = channels::split(socket);
    let mut inputs: Vec<Option<OwnedWriteHalf>> = Vec::new();
    let mut copies = tokio::task::JoinSet::new();
    for (channel, port) in (0_u8..).step_by(2).zip(ports) {
        let number = Bytes::copy_from_slice(&port.to_le_bytes());
        let _ = out.send((channel, number.clone())).await;
        let _ = out.send((channel + 1, number)).await;
        inputs.push(connect(state, pod, *port, channel, &out, &mut copies).await);
    }
    drop(out);
    loop {
        tokio::select! {
            ended = copies.join_next() => if ended.is_none() { break },
            incoming = client.next() => match incoming {
                Some(Incoming::Data(channel, data)) => write(&mut inputs, channel, &data).await,
                Some(Incoming::Closed(_)) => {}
                None => break,
            },
        }
    }
    // Whatever the pod still sends is dropped; a connection ends with both of its directions.
    copies.shutdown().await;
    let _ = sender.await;
}

/// Connects a port; a failure is sent on its error channel.
async fn connect(
    state: &State,
    pod: &Value,
    port: u16,
    channel: u8,
    out: &Outgoing,
    copies: &mut tokio::task::JoinSet<()>,
) -> Option<OwnedWriteHalf> {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    match state.kubelet.connect(uid, port).await {
        Ok(stream) => {
            let (from_pod, to_pod) = stream.into_split();
            copies.spawn(channels::copy(Some(from_pod), channel, out.clone()));
            Some(to_pod)
        }
        Err(why) => {
            let _ = out.send((channel + 1, why.message.into())).await;
            None
        }
    }
}

async fn write(inputs: &mut [Option<OwnedWriteHalf>], channel: u8, data: &[u8]) {
    let Some(input) = inputs.get_mut(usize::from(channel / 2)).filter(|_| channel.is_multiple_of(2)) else { return };
    if let Some(connection) = input
        && let Err(error) = connection.write_all(data).await
    {
        if error.kind() != ErrorKind::BrokenPipe {
            tracing::debug!(%error, "a forwarded connection broke");
        }
        *input = None;
    }
}
