//! Where requests go, and one request to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::connection::Connection;
use crate::reach::Reach;
use crate::request::{Kind, Protocol, Request};
use crate::response::{Failure, Response};
use crate::template::{Fill, Secrets};

/// A pod or a Service.
pub trait Target: Send + Sync {
    /// Returns its ports and time limits.
    fn reach(&self) -> &Reach;

    /// Returns the host of the application as a command sees it.
    fn host(&self) -> &str;

    /// Opens a connection.
    fn connect(
        &self,
        protocol: Protocol,
        secrets: &Secrets,
        timeout: Duration,
    ) -> impl Future<Output = Result<Connection, Failure>> + Send;

    /// Runs a program with its arguments in a container, none for the default; its exit status is the response's.
    fn run(
        &self,
        words: Vec<String>,
        container: Option<&str>,
        timeout: Duration,
    ) -> impl Future<Output = Result<Response, Failure>> + Send;
}

/// The result of a request.
pub struct Exchange {
    /// The response.
    pub response: Result<Response, Failure>,
    /// The connection, if another request can be sent over it.
    pub connection: Option<Connection>,
    /// Whether it used the connection of the previous request.
    pub over_kept: bool,
    /// Whether a new connection was refused: it was not accepted, or it ended without a response, which is how a proxy
    /// refuses connections.
    pub refused: bool,
    /// The address of the connection.
    pub peer: String,
}

/// Sends a request, over the connection of the previous one if it is still open.
pub async fn ask(
    target: &impl Target,
    kept: Option<Connection>,
    request: &Request,
    fill: Fill<'_>,
    timeout: Duration,
) -> Exchange {
    let unique = unique();
    let fill = Fill { host: target.host(), unique: &unique, ..fill };
    let Some(protocol) = request.protocol() else {
        let response = run(target, request, fill, timeout).await;
        return Exchange { response, connection: kept, over_kept: false, refused: false, peer: String::new() };
    };
    let kept = kept.and_then(|connection| connection.reusable(protocol));
    let over_kept = kept.is_some();
    let none = Secrets::default();
    let connected = match kept {
        Some(connection) => Ok(connection),
        None => target.connect(protocol, fill.secrets.unwrap_or(&none), timeout).await,
    };
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(failure) => {
            return Exchange {
                response: Err(failure),
                connection: None,
                over_kept,
                refused: true,
                peer: String::new(),
            };
        }
    };
    let response = connection.ask(request, fill, timeout).await;
    let peer = connection.peer().to_owned();
    let refused = !over_kept && matches!(response, Err(Failure::NotSent(_) | Failure::Unanswered(_)));
    // A failed connection may still deliver the response to an abandoned request.
    let connection = Some(connection).filter(|_| response.is_ok());
    Exchange { response, connection, over_kept, refused, peer }
}

async fn run(target: &impl Target, request: &Request, fill: Fill<'_>, timeout: Duration) -> Result<Response, Failure> {
    let Kind::Exec(command) = &request.kind else {
        return Err(Failure::NotSent("this request needs a connection".to_owned()));
    };
    let words = command.words.iter().map(|word| word.fill(fill)).collect();
    let response = target.run(words, command.container.as_deref(), timeout).await;
    let line = |why: String| format!("{}: {why}", request.shown(fill));
    response.map_err(|failure| match failure {
        Failure::NotSent(why) => Failure::NotSent(line(why)),
        Failure::TimedOut(why) => Failure::TimedOut(line(why)),
        Failure::Unanswered(why) => Failure::Unanswered(line(why)),
    })
}

/// Returns a text that no other request has, from this process or another.
fn unique() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}-{}", since.as_nanos(), std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
