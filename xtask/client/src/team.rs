//! Clients of one application that write and read side by side, each one operation at a time, and tell what became
//! of each.
//!
//! A connection through a Service may lead to something that is not the application: one that was made while the
//! Service had no endpoint, and that the node let out as it was. A client that keeps such a one would never come back.
//! So after an answer that the application can't have given, a client connects anew, and what became of the operation is
//! not known. That there is no such record is what another server may say, too: it counts once the same connection has
//! shown that the application is at its other end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use history::{Connection as Over, Operation, OperationKind, Outcome, Promise};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::application::{self, Record, Written};
use crate::http::{Connection, Failure, Response};
use crate::records::{Records, Request};

/// Keys that registers are written under, again and again.
const REGISTERS: u64 = 5;

/// What all clients of a team have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// How records are written and read.
    pub records: Records,
    /// What the name of every client begins with; no other team has it.
    pub prefix: String,
    /// Between two operations of a client, in milliseconds.
    pub pause_ms: u64,
    /// After which a request is given up, in milliseconds.
    pub timeout_ms: u64,
}

/// An operation that ended, and for a write the record that is or may be there now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompletedOperation {
    /// The operation.
    pub operation: Operation,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// The address of what gave an answer that the application can't have given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranger: Option<String>,
}

/// Where a team's operations go, each when it has ended.
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
struct Client<F> {
    team: Arc<Team>,
    name: String,
    replica: Option<String>,
    over: Over,
    connect: F,
    kept: Option<Connection>,
    /// Whether the connection is known to lead to the application.
    proven: bool,
}

/// What became of a request.
struct Asked {
    answer: Result<Response, Failure>,
    /// Whether it went over the connection of the request before.
    over_kept: bool,
    /// Whether a new connection was refused: nobody took it, or it ended without an answer, which is how a proxy on the
    /// way refuses.
    refused: bool,
    /// The address that was connected to.
    peer: String,
}

impl Asked {
    /// The address of whoever gave an answer that `is_strange`.
    fn stranger(&self, is_strange: impl FnOnce(&Response) -> bool) -> Option<String> {
        self.answer.as_ref().is_ok_and(is_strange).then(|| self.peer.clone())
    }
}

impl Team {
    /// A team that hands over what became of its operations to `sink`, by the clock that stood at zero at `began`.
    pub fn new(
        task: Task,
        began: Instant,
        stop: CancellationToken,
        sink: impl Fn(CompletedOperation) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { task, began, stop, sink: Box::new(sink), numbers: AtomicU64::new(0), last: Mutex::default() })
    }

    /// How long a request may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.task.timeout_ms)
    }

    /// Lets a client write and read until the team is stopped; the operation under way is finished.
    pub async fn work<F, C>(self: Arc<Self>, name: String, replica: Option<String>, over: Over, connect: F)
    where
        F: Fn() -> C + Send + Sync,
        C: Future<Output = Result<Connection, Failure>> + Send,
    {
        let name = format!("{}-{name}", self.task.prefix);
        let (stop, pause) = (self.stop.clone(), Duration::from_millis(self.task.pause_ms));
        let mut client = Client { team: self, name, replica, over, connect, kept: None, proven: false };
        while !stop.is_cancelled() {
            client.write().await;
            if let Some(record) = client.team.last_known() {
                client.read(&record).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The last record that any of the team knows to be there.
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

impl<F, C> Client<F>
where
    F: Fn() -> C + Send + Sync,
    C: Future<Output = Result<Connection, Failure>> + Send,
{
    /// A record of which no other client knows; a register's key is shared, its value is not.
    fn next(&self) -> Record {
        let number = self.team.numbers.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{number}", self.name);
        match self.team.task.records.promise {
            Promise::Set | Promise::EventualSet => Record::new(unique.clone(), unique),
            Promise::Register | Promise::EventualRegister => {
                Record::new(format!("register-{}", number % REGISTERS), unique)
            }
        }
    }

    /// Returns whether the answer came over the connection of the request before, and from the application.
    async fn write(&mut self) -> bool {
        let record = self.next();
        let start_ns = self.team.now_ns();
        let team = self.team.clone();
        let records = &team.task.records;
        let asked = self.ask(&records.write.request, &record).await;
        let mut operation = self.operation(OperationKind::Write, &record.key, start_ns, asked.refused);
        operation.value = Some(record.value.clone());
        let stranger = asked.stranger(|answer| application::is_strange_to_write(&records.write, answer));
        let is_proof = asked.over_kept && asked.answer.is_ok() && stranger.is_none();
        let record = match application::written(records, asked.answer) {
            Written::Acknowledged(id) => {
                self.proven = true;
                let record = Record { id, ..record };
                team.know(&record);
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

    async fn read(&mut self, record: &Record) {
        let start_ns = self.team.now_ns();
        let team = self.team.clone();
        let records = &team.task.records;
        let asked = self.ask(&records.read.request, record).await;
        let mut operation = self.operation(OperationKind::Read, &record.key, start_ns, asked.refused);
        let stranger = asked.stranger(|answer| application::is_strange_to_read(&records.read, answer));
        match application::got(records, asked.answer) {
            Ok(Some(value)) => {
                self.proven = true;
                operation.value = Some(value);
            }
            Ok(None) => {
                // What becomes of a write over the same connection shows who is at its other end.
                if !self.proven && !self.write().await {
                    let why = format!("no such record, says {}, which need not be the application", asked.peer);
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

    /// Asks over the connection that is kept, or a new one. Whoever judges the answer [lets it go](Self::let_go).
    async fn ask(&mut self, request: &Request, record: &Record) -> Asked {
        let kept = self.kept.take().filter(Connection::is_open);
        let over_kept = kept.is_some();
        let connected = match kept {
            Some(connection) => Ok(connection),
            None => (self.connect)().await,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(failure) => return Asked { answer: Err(failure), over_kept, refused: true, peer: String::new() },
        };
        if !over_kept {
            // A port-forward ends in its pod.
            self.proven = self.replica.is_some();
        }
        let answer = connection.ask(request, record.fill(), self.team.timeout()).await;
        let peer = connection.peer().to_owned();
        // Over one that failed an answer may still come, to a question that nobody asks any more.
        self.kept = Some(connection).filter(|_| answer.is_ok());
        let refused = !over_kept && matches!(answer, Err(Failure::NotSent(_) | Failure::Unanswered(_)));
        Asked { answer, over_kept, refused, peer }
    }

    /// Keeps the connection for the next request only where the client keeps any, and where it does not lead elsewhere.
    fn let_go(&mut self, leads_elsewhere: bool) {
        self.kept = self.kept.take().filter(|_| self.over.is_kept() && !leads_elsewhere);
    }

    /// An operation that ended now, well.
    fn operation(&self, kind: OperationKind, key: &str, start_ns: u64, refused: bool) -> Operation {
        let (replica, connection) = (self.replica.clone(), self.over);
        let ended = Operation::new(self.name.clone(), kind, key, (start_ns, self.team.now_ns()));
        Operation { replica, connection, refused, ..ended }
    }
}

/// An error, with the address of whoever is not the application.
fn from(error: String, stranger: Option<&str>) -> String {
    match stranger {
        Some(address) => format!("{error} (from {address}, which is not the application)"),
        None => error,
    }
}

#[cfg(test)]
#[path = "team_tests.rs"]
mod tests;
