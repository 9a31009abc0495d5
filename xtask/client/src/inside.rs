//! The team inside the cluster, and what it and the harness say to each other over one connection: JSON lines.
//!
//! The harness asks for the time as often as it likes, begins once, and ends with [`ClientRequest::Stop`] or by going away. The team answers with its clock, and tells each operation when it has ended, in its own time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use history::Connection as Over;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::http::Connection;
use crate::records::Request;
use crate::team::{CompletedOperation, Task, Team};
use crate::template::Fill;

/// Where the program listens.
pub const PORT: u16 = 7070;

/// What the harness says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRequest {
    /// Once: write and read there, `host:port`.
    Begin {
        /// What to do.
        task: Box<Task>,
        /// Through what.
        through: String,
    },
    /// What time is it?
    Clock,
    /// Connect to `host:port`, and make a request there where there is one.
    Ask {
        /// Where.
        to: String,
        /// What; nothing is sent without it.
        request: Option<Request>,
        /// After which it is given up, in milliseconds.
        timeout_ms: u64,
    },
    /// Finish what is under way.
    Stop,
}

/// What the team answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientResponse {
    /// The team's time, in nanoseconds.
    Clock(u64),
    /// The body of the answer, or why there is none.
    Answered(Result<String, String>),
    /// An operation ended.
    CompletedOperation(Box<CompletedOperation>),
    /// All have ended; nothing comes after this.
    Ended,
}

/// Serves one harness: works until it says stop, or is gone.
///
/// # Errors
/// Where the harness says what nobody understands.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Send) -> anyhow::Result<()> {
    let began = Instant::now();
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    let stop = CancellationToken::new();
    // Whatever becomes of this connection, nobody goes on working for it.
    let _stopped = stop.clone().drop_guard();
    let (sender, mut done) = mpsc::unbounded_channel();
    let mut sender = Some(sender);
    let mut working = JoinSet::new();
    loop {
        tokio::select! {
            said = next(&mut lines) => match (said?, sender.take()) {
                (Some(ClientRequest::Begin { task, through }), Some(sender)) => {
                    // Nobody listening is no reason to stop in the middle: the team is being stopped.
                    let sink = move |ended| drop(sender.send(ended));
                    start(&mut working, &Team::new(*task, began, stop.clone(), sink), &through);
                }
                (Some(ClientRequest::Begin { .. }), None) => bail!("begun already"),
                (Some(ClientRequest::Clock), unused) => {
                    sender = unused;
                    tell(&mut write, &ClientResponse::Clock(elapsed_ns(began))).await?;
                }
                (Some(ClientRequest::Ask { to, request, timeout_ms }), unused) => {
                    sender = unused;
                    let answered = ask(&to, request.as_ref(), Duration::from_millis(timeout_ms)).await;
                    tell(&mut write, &ClientResponse::Answered(answered)).await?;
                }
                (Some(ClientRequest::Stop), _) => stop.cancel(),
                (None, _) => return Ok(()),
            },
            // The last client that ends drops the last sender.
            ended = done.recv() => match ended {
                Some(ended) => tell(&mut write, &ClientResponse::CompletedOperation(Box::new(ended))).await?,
                None => return tell(&mut write, &ClientResponse::Ended).await,
            },
        }
    }
}

/// One client with a connection for each request, and one that keeps its own.
fn start(clients: &mut JoinSet<()>, team: &Arc<Team>, through: &str) {
    for (name, over) in [("service", Over::Service), ("service-kept", Over::ServiceReused)] {
        let (through, timeout) = (through.to_owned(), team.timeout());
        let connect = move || {
            let through = through.clone();
            async move { Connection::open(&through, timeout).await }
        };
        clients.spawn(team.clone().work(name.to_owned(), None, over, connect));
    }
}

/// Connects, and asks where there is something to be asked.
async fn ask(to: &str, request: Option<&Request>, timeout: Duration) -> Result<String, String> {
    let Some(request) = request else {
        let connecting = tokio::time::timeout(timeout, TcpStream::connect(to)).await;
        let connected = connecting.map_err(|_| format!("{to}: timed out after {} ms", timeout.as_millis()))?;
        return connected.map(|_| String::new()).map_err(|error| format!("{to}: {error}"));
    };
    let mut connection = Connection::open(to, timeout).await.map_err(|failure| failure.to_string())?;
    let answer = connection.ask(request, Fill::default(), timeout).await.map_err(|failure| failure.to_string())?;
    let answer = answer.require(request.status)?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// The next message; none where the other end is gone.
///
/// # Errors
/// Where it is none.
pub async fn next<T: for<'de> Deserialize<'de>>(
    lines: &mut Lines<impl AsyncBufRead + Unpin>,
) -> anyhow::Result<Option<T>> {
    // Gone in the middle of a line is gone.
    let Ok(Some(line)) = lines.next_line().await else { return Ok(None) };
    serde_json::from_str(&line).with_context(|| format!("nobody understands {line:?}")).map(Some)
}

/// Sends a message.
///
/// # Errors
/// Where the other end is gone.
pub async fn tell(write: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    Ok(write.flush().await?)
}

/// Nanoseconds since then.
fn elapsed_ns(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
