//! WebSockets with channels, as exec and port-forward use them: the first byte of a message is its channel.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How many bytes are read from a program or a connection at once.
const CHUNK_BYTES: usize = 32 * 1024;
/// How many messages may wait to be sent: a slow client slows the program down.
const QUEUE_MESSAGES: usize = 16;

/// How long a client may take to answer a ping before it is served anyway.
const PONG_TIMEOUT: Duration = Duration::from_secs(30);

/// The sender of outgoing messages, each with its channel.
pub type Outgoing = mpsc::Sender<(u8, Bytes)>;

/// An incoming message.
pub enum Incoming {
    /// Bytes for a channel.
    Data(u8, Bytes),
    /// The client will send no more on a channel (protocol v5).
    Closed(u8),
}

/// The client's side of a socket.
pub struct SocketReader {
    stream: SplitStream<WebSocket>,
    /// A message that arrived before it was expected.
    early: Option<Message>,
}

/// A socket's parts: incoming messages, the sender of outgoing ones, and the task that sends them. It closes the socket
/// when the last sender is dropped.
pub type Socket = (SocketReader, Outgoing, tokio::task::JoinHandle<()>);

/// Splits a socket.
pub fn split(socket: WebSocket) -> Socket {
    split_after(socket, None)
}

/// As [`split`], once the client reads: client-go creates its channels when it starts to read, and drops earlier
/// messages.
pub async fn split_when_read(mut socket: WebSocket) -> Socket {
    let _ = socket.send(Message::Ping(Bytes::new())).await;
    let answer = timeout(PONG_TIMEOUT, socket.recv()).await.ok().flatten().and_then(Result::ok);
    split_after(socket, answer)
}

fn split_after(socket: WebSocket, early: Option<Message>) -> Socket {
    let (sink, stream) = socket.split();
    let (sender, receiver) = mpsc::channel(QUEUE_MESSAGES);
    (SocketReader { stream, early }, sender, tokio::spawn(send_all(sink, receiver)))
}

async fn send_all(mut sink: SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<(u8, Bytes)>) {
    while let Some((channel, data)) = queue.recv().await {
        let message: Bytes = [&[channel][..], &data].concat().into();
        if sink.send(Message::Binary(message)).await.is_err() {
            return;
        }
    }
    // Without a code, client-go takes the end for a broken connection.
    let _ = sink.send(Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))).await;
    let _ = sink.close().await;
}

impl SocketReader {
    /// Returns the next incoming message, or `None` once the client is gone.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            let message = match self.early.take() {
                Some(early) => early,
                None => self.stream.next().await?.ok()?,
            };
            let message = match message {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => text.into(),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            match message.split_first() {
                None => {}
                Some((255, closed)) => return Some(Incoming::Closed(closed.first().copied().unwrap_or(0))),
                Some((channel, _)) => return Some(Incoming::Data(*channel, message.slice(1..))),
            }
        }
    }
}

/// Sends everything that is read from `source` on a channel.
pub async fn copy(source: Option<impl AsyncRead + Unpin>, channel: u8, out: Outgoing) {
    let Some(mut source) = source else { return };
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = source.read(&mut buffer).await {
        if out.send((channel, Bytes::copy_from_slice(&buffer[..read]))).await.is_err() {
            return;
        }
    }
}
