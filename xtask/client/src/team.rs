//! Clients of one application that write and read concurrently, each one operation at a time, and report the outcome of
//! each.
//!
//! A connection through a Service may lead to something other than the application: while the Service has no endpoint,
//! the node may let the connection leave untranslated. A client that keeps such a connection would never recover. So after
//! a response that the application can't have sent, a client reconnects, and the outcome of the operation is unknown.
//! Another server may also report that there is no such record; this counts once the same connection has shown that the
//! application is at its other end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use history::{Connection as Over, Operation, OperationKind, Outcome, Promise};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::application::{self, Record, Written};
use crate::connection::Connection;
use crate::reach::Reach;
use crate::records::{Read, Records};
use crate::request::Request;
use crate::response::Response;
use crate::target::{self, Exchange, Target};
use crate::template::{Fill, Secrets};

/// The number of keys of registers, which are written again and again.
const REGISTERS: u64 = 5;

/// The key of the operations that check the application's health.
const HEALTH: &str = "health";

/// The common settings of all clients of a team.
#[derive(Clone, Serialize, Deserialize)]
pub struct Task {
    /// What they ask of the application.
    pub traffic: Traffic,
    /// The prefix of every client's name, unique to the team.
    pub prefix: String,
    /// The pause between two operations of a client, in milliseconds.
    pub pause_ms: u64,
    /// Ports and time limits.
    pub reach: Reach,
    /// The values of Secrets in the requests.
    pub secrets: Secrets,
}

/// What clients ask of the application.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// They write and read records.
    Records(Box<Records>),
    /// They send this request, to which a healthy application responds with success.
    Health(Box<Request>),
}

impl Traffic {
    /// Returns all requests.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        let (records, health): (Option<&Records>, Option<&Request>) = match self {
            Self::Records(records) => (Some(&**records), None),
            Self::Health(request) => (None, Some(&**request)),
        };
        records.into_iter().flat_map(Records::requests).chain(health)
    }

    /// Returns whether clients have connections that they can keep: commands make their own.
    pub fn uses_connections(&self) -> bool {
        self.requests().any(|request| request.protocol().is_some())
    }

    /// Returns whether all of it can go through a Service.
    pub fn goes_through_a_service(&self) -> bool {
        self.requests().all(Request::goes_to_any_host)
    }
}

/// An operation that ended, and, for a write, the record that exists or may exist now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompletedOperation {
    /// The operation.
    pub operation: Operation,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// The address of the server that sent a response that the application can't have sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranger: Option<String>,
}

impl From<Operation> for CompletedOperation {
    /// An operation that wrote nothing.
    fn from(operation: Operation) -> Self {
        Self { operation, record: None, stranger: None }
    }
}

/// Receives a team's operations, each when it has ended.
type Sink = Box<dyn Fn(CompletedOperation) + Send + Sync>;

/// The clients of one task.
pub struct Team {
    task: Task,
    began: Instant,
    stop: CancellationToken,
    sink: Sink,
    numbers: AtomicU64,
    last: Mutex<Option<Record>>,
}

/// One client of a team.
struct Client<T> {
    team: Arc<Team>,
    name: String,
    replica: Option<String>,
    over: Over,
    target: T,
    kept: Option<Connection>,
    /// Whether the connection is known to lead to the application.
    proven: bool,
}

/// Returns the address of the server if its response `is_strange`.
fn stranger(exchange: &Exchange, is_strange: impl FnOnce(&Response) -> bool) -> Option<String> {
    exchange.response.as_ref().is_ok_and(is_strange).then(|| exchange.peer.clone())
}

impl Team {
    /// Returns a team that passes its completed operations to `sink`, with times since `began`.
    pub fn new(
        task: Task,
        began: Instant,
        stop: CancellationToken,
        sink: impl Fn(CompletedOperation) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { task, began, stop, sink: Box::new(sink), numbers: AtomicU64::new(0), last: Mutex::default() })
    }

    /// Returns the common settings of its clients.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Runs a client that writes and reads, or checks the application's health, until the team is stopped; the operation
    /// in progress is finished.
    pub async fn work(self: Arc<Self>, name: String, replica: Option<String>, over: Over, target: impl Target) {
        let name = format!("{}-{name}", self.task.prefix);
        let (stop, pause) = (self.stop.clone(), Duration::from_millis(self.task.pause_ms));
        let mut client = Client { team: self, name, replica, over, target, kept: None, proven: false };
        while !stop.is_cancelled() {
            client.act().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Returns the last record that any client of the team knows to exist.
    fn last_known(&self) -> Option<Record> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know(&self, record: &Record) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(record.clone());
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl<T: Target> Client<T> {
    async fn act(&mut self) {
        let team = self.team.clone();
        match &team.task.traffic {
            Traffic::Records(records) => {
                self.write(records).await;
                if let Some((read, record)) = records.read.as_ref().zip(team.last_known()) {
                    self.read((records, read), &record).await;
                }
            }
            Traffic::Health(request) => self.check_health(request).await,
        }
    }

    /// Returns a record that is unique to this client; for a register, only the value is unique.
    fn next(&self, promise: Promise) -> Record {
        let number = self.team.numbers.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{number}", self.name);
        match promise {
            Promise::Set | Promise::EventualSet | Promise::None => Record::new(unique.clone(), unique),
            Promise::Register | Promise::EventualRegister => {
                Record::new(format!("register-{}", number % REGISTERS), unique)
            }
        }
    }

    /// Returns whether the response came from the application over the connection of the previous request.
    async fn write(&mut self, records: &Records) -> bool {
        let record = self.next(records.promise);
        let start_ns = self.team.now_ns();
        let exchange = self.ask(&records.write.request, &record).await;
        let mut operation = self.operation(OperationKind::Write, &record.key, start_ns, exchange.refused);
        operation.value = Some(record.value.clone());
        let stranger = stranger(&exchange, |response| application::is_strange_to_write(&records.write, response));
        let is_proof = exchange.over_kept && exchange.response.is_ok() && stranger.is_none();
        let record = match application::written(records, exchange.response) {
            Written::Acknowledged(id) => {
                self.proven = true;
                let record = Record { id, ..record };
                self.team.know(&record);
                Some(record)
            }
            Written::Unknown(why) => {
                (operation.outcome, operation.error) = (Outcome::Unknown, Some(why));
                Some(record)
            }
            Written::Failed(why) => {
                (operation.outcome, operation.error) = (Outcome::Failed, Some(why));
                None
            }
        };
        self.let_go(stranger.is_some());
        operation.error = operation.error.map(|error| from(error, stranger.as_deref()));
        (self.team.sink)(CompletedOperation { operation, record, stranger });
        is_proof
    }

    async fn read(&mut self, (records, read): (&Records, &Read), record: &Record) {
        let start_ns = self.team.now_ns();
        let exchange = self.ask(&read.request, record).await;
        let mut operation = self.operation(OperationKind::Read, &record.key, start_ns, exchange.refused);
        let stranger = stranger(&exchange, |response| application::is_strange_to_read(read, response));
        match application::got(read, exchange.response) {
            Ok(Some(value)) => {
                self.proven = true;
                operation.value = Some(value);
            }
            Ok(None) => {
                // A write over the same connection shows whether the application is at its other end.
                let is_proven = self.proven || read.request.protocol().is_none();
                if !is_proven && !self.write(records).await {
                    let why =
                        format!("no such record according to {}, which may not be the application", exchange.peer);
                    (operation.outcome, operation.error) = (Outcome::Failed, Some(why));
                }
            }
            Err(why) => {
                (operation.outcome, operation.error) = (Outcome::Failed, Some(from(why, stranger.as_deref())));
            }
        }
        self.let_go(stranger.is_some());
        (self.team.sink)(CompletedOperation { operation, record: None, stranger });
    }

    /// After any other response than success it reconnects, since the connection may lead to another server.
    async fn check_health(&mut self, request: &Request) {
        let start_ns = self.team.now_ns();
        let exchange = self.ask(request, &Record::new("", "")).await;
        let mut operation = self.operation(OperationKind::Health, HEALTH, start_ns, exchange.refused);
        let response = exchange.response.map_err(|failure| failure.to_string());
        if let Err(why) = response.and_then(|response| request.check(&response)) {
            (operation.outcome, operation.error) = (Outcome::Failed, Some(why));
        }
        self.let_go(operation.outcome != Outcome::Ok);
        (self.team.sink)(CompletedOperation { operation, record: None, stranger: None });
    }

    /// Sends a request over the kept connection, or a new one. The caller judges the response and then calls
    /// [`Self::let_go`].
    async fn ask(&mut self, request: &Request, record: &Record) -> Exchange {
        let team = self.team.clone();
        let fill = Fill { secrets: Some(&team.task.secrets), ..record.fill() };
        let timeout = team.task.reach.timeout(request);
        let mut exchange = target::ask(&self.target, self.kept.take(), request, fill, timeout).await;
        if !exchange.over_kept {
            // A port-forward ends in its pod.
            self.proven = self.replica.is_some();
        }
        self.kept = exchange.connection.take();
        exchange
    }

    /// Keeps the connection for the next request only if the client keeps connections and it does not lead elsewhere.
    fn let_go(&mut self, leads_elsewhere: bool) {
        self.kept = self.kept.take().filter(|_| self.over.is_kept() && !leads_elsewhere);
    }

    /// Returns an operation that ended now, successfully.
    fn operation(&self, kind: OperationKind, key: &str, start_ns: u64, refused: bool) -> Operation {
        let (replica, connection) = (self.replica.clone(), self.over);
        let ended = Operation::new(self.name.clone(), kind, key, (start_ns, self.team.now_ns()));
        Operation { replica, connection, refused, ..ended }
    }
}

/// Returns an error, with the address of the server that is not the application.
fn from(error: String, stranger: Option<&str>) -> String {
    match stranger {
        Some(address) => format!("{error} (from {address}, which is not the application)"),
        None => error,
    }
}

#[cfg(test)]
#[path = "team_tests.rs"]
mod tests;
