//! `pods/attach` over a WebSocket: the standard streams of a container's own program.

use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::channels::{self, Incoming, Socket};
use super::exec::{PROTOCOLS, RESIZE, STATUS, STDERR, STDIN, STDOUT, size, upgrade};
use super::path::Target;
use super::{State, body, pod, request};
use crate::registry::value::items;
use crate::status::Status;

/// Handles a request to attach to a container.
pub async fn answer(state: &State, target: &Target, request: axum::extract::Request) -> Result<Response, Status> {
    let query = request::query(request.uri())?;
    let requested = query.iter().find(|(key, _)| key == "container").map_or("", |(_, value)| value.as_str());
    let pod = pod::of(state, target)?;
    if let Some(phase @ ("Succeeded" | "Failed")) = pod["status"]["phase"].as_str() {
        let message = format!("cannot attach a container in a completed pod; current phase is {phase}");
        return Err(body::bad(message));
    }
    let name = pod::container(&pod, requested)?;
    let container = state.kubelet.container(pod["metadata"]["uid"].as_str().unwrap_or_default(), &name)?;
    let reads_once = reads_once(&pod, &name);
    let upgrade = upgrade(request, PROTOCOLS).await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let socket = channels::split_when_read(socket).await;
        let output = container.attach();
        serve(socket, &container, output, reads_once).await;
        if reads_once {
            container.close_input().await;
        }
    }))
}

/// Returns whether a container's input ends with that of the first client that attached; a terminal stays open.
fn reads_once(pod: &Value, name: &str) -> bool {
    let all = ["containers", "initContainers", "ephemeralContainers"];
    let mut all = all.into_iter().flat_map(|field| items(&pod["spec"], field));
    all.any(|container| container["name"] == *name && container["stdinOnce"] == true && container["tty"] != true)
}

/// Copies until the container has ended or the client is gone.
async fn serve(
    (mut client, out, sender): Socket,
    container: &runtime::Container,
    mut output: Receiver<runtime::OutputChunk>,
    reads_once: bool,
) {
    loop {
        tokio::select! {
            chunk = output.recv() => {
                let Some(chunk) = chunk else { break };
                let channel = if chunk.is_error { STDERR } else { STDOUT };
                if out.send((channel, chunk.bytes.into())).await.is_err() {
                    return;
                }
            }
            incoming = client.next() => match incoming {
                Some(Incoming::Data(STDIN, data)) => container.write_input(&data).await,
                Some(Incoming::Data(RESIZE, sent)) => {
                    if let Some((columns, rows)) = size(&sent) {
                        container.resize(columns, rows);
                    }
                }
                Some(Incoming::Closed(STDIN)) if reads_once => container.close_input().await,
                Some(_) => {}
                None => return,
            },
        }
    }
    let _ = out.send((STATUS, json!({"metadata": {}, "status": "Success"}).to_string().into())).await;
    drop(out);
    let _ = sender.await;
}
