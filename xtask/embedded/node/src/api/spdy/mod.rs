//! `pods/portforward` over SPDY/3.1, which kubectl uses if a WebSocket is rejected: a pair of streams for each
//! connection, one for data and one for its error.

mod frame;
mod headers;

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, UPGRADE};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::State;
use crate::status::Status;
use frame::Frame;

/// The protocol inside the streams, as both sides name it.
const PROTOCOL: &str = "portforward.k8s.io";
const PROTOCOL_HEADER: &str = "x-stream-protocol-version";
/// How many frames may wait to be sent.
const QUEUE_FRAMES: usize = 16;
/// How many bytes are read from a connection at once.
const CHUNK_BYTES: usize = 32 * 1024;

/// Returns whether a request asks for SPDY.
pub fn is_requested(request: &axum::extract::Request) -> bool {
    let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("SPDY/3.1"))
}

/// Switches to SPDY and forwards.
pub fn answer(
    state: &State,
    pod: std::sync::Arc<Value>,
    mut request: axum::extract::Request,
) -> Result<Response, Status> {
    let upgraded = hyper::upgrade::on(&mut request);
    let state = state.clone();
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => serve(&state, &pod, TokioIo::new(upgraded)).await,
            Err(error) => tracing::debug!(%error, "the switch to SPDY failed"),
        }
    });
    let answer = Response::builder()
        .status(101)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "SPDY/3.1")
        .header(PROTOCOL_HEADER, PROTOCOL)
        .body(Body::empty());
    answer.map_err(|error| Status::new(500, "InternalError", error.to_string()))
}

/// The two streams of one connection to the pod, which arrive one by one.
#[derive(Default)]
struct Pair {
    data: Option<u32>,
    error: Option<u32>,
    port: u16,
}

/// The client's input on the data streams.
type Inputs = HashMap<u32, mpsc::Sender<Bytes>>;

async fn serve(state: &State, pod: &Value, socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static) {
    let (mut source, mut sink) = tokio::io::split(socket);
    let (out, mut queue) = mpsc::channel::<Bytes>(QUEUE_FRAMES);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(frame) = queue.recv().await {
            if sink.write_all(&frame).await.is_err() || sink.flush().await.is_err() {
                return;
            }
        }
    });
    let mut reader = headers::Reader::new();
    let mut pairs: HashMap<String, Pair> = HashMap::new();
    let mut inputs = Inputs::new();
    let mut replies = 0;
    while let Some(frame) = frame::read(&mut source).await {
        match frame {
            Frame::Syn { stream, block, .. } => {
                let Some(named) = reader.read(&block) else { break };
                let _ = out.send(frame::reply(stream, &headers::empty_block(replies))).await;
                replies += 1;
                if let Some(pair) = join(&mut pairs, stream, &named) {
                    let (sender, receiver) = mpsc::channel(QUEUE_FRAMES);
                    inputs.insert(pair.data.unwrap_or_default(), sender);
                    tasks.spawn(forward(state.clone(), pod.clone(), pair, receiver, out.clone()));
                }
            }
            Frame::Data { stream, is_final, data } => {
                if let Some(input) = inputs.get(&stream).filter(|_| !data.is_empty()) {
                    let _ = input.send(data).await;
                }
                if is_final {
                    inputs.remove(&stream);
                }
            }
            Frame::Reset(stream) => drop(inputs.remove(&stream)),
            Frame::Ping(id) => drop(out.send(frame::ping(id)).await),
            Frame::GoAway => break,
            Frame::Other => {}
        }
    }
    tasks.shutdown().await;
}

/// Adds a stream to its pair, and returns the pair once it is complete.
fn join(pairs: &mut HashMap<String, Pair>, stream: u32, named: &[(String, String)]) -> Option<Pair> {
    let value = |name: &str| named.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
    let id = value("requestID").unwrap_or_default().to_owned();
    let pair = pairs.entry(id.clone()).or_default();
    match value("streamType") {
        Some("data") => pair.data = Some(stream),
        _ => pair.error = Some(stream),
    }
    pair.port = value("port").and_then(|port| port.parse().ok()).unwrap_or(pair.port);
    if pair.data.is_none() || pair.error.is_none() { None } else { pairs.remove(&id) }
}

async fn forward(state: State, pod: Value, pair: Pair, input: mpsc::Receiver<Bytes>, out: mpsc::Sender<Bytes>) {
    let (data, error) = (pair.data.unwrap_or_default(), pair.error.unwrap_or_default());
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let why = match state.kubelet.connect(uid, pair.port).await {
        Ok(stream) => {
            exchange(stream, data, input, &out).await;
            String::new()
        }
        Err(why) => why.message,
    };
    let _ = out.send(frame::data(error, why.as_bytes(), true)).await;
    let _ = out.send(frame::data(data, &[], true)).await;
}

/// Copies both ways until the pod ends its side.
async fn exchange(mut pod: TcpStream, stream: u32, mut input: mpsc::Receiver<Bytes>, out: &mpsc::Sender<Bytes>) {
    let (mut from_pod, mut to_pod) = pod.split();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut is_open = true;
    loop {
        tokio::select! {
            read = from_pod.read(&mut buffer) => {
                let Ok(count @ 1..) = read else { return };
                if out.send(frame::data(stream, &buffer[..count], false)).await.is_err() {
                    return;
                }
            }
            sent = input.recv(), if is_open => {
                is_open = sent.is_some();
                let written = match sent {
                    Some(bytes) => to_pod.write_all(&bytes).await,
                    None => to_pod.shutdown().await,
                };
                is_open &= written.is_ok();
            }
        }
    }
}
