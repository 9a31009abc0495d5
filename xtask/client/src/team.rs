//! Clients of one application that write and read side by side, each one operation at a time, and tell what became
//! of each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use history::{Connection as Over, Operation, OperationKind, Outcome, Promise, Stage};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::application::{self, Record, Written};
use crate::http::{Answer, Connection, Failure};
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
pub struct Done {
    /// The operation.
    pub operation: Operation,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// The clients of one task.
pub struct Team {
    task: Task,
    began: Instant,
    stop: CancellationToken,
    done: UnboundedSender<Done>,
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
}

impl Team {
    /// A team that tells what became of its operations, by the clock that stood at zero at `began`.
    pub fn new(task: Task, began: Instant, stop: CancellationToken, done: UnboundedSender<Done>) -> Arc<Self> {
        Arc::new(Self { task, began, stop, done, numbers: AtomicU64::new(0), last: Mutex::default() })
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
        let mut client = Client { team: self, name, replica, over, connect, kept: None };
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

    async fn write(&mut self) {
        let record = self.next();
        let start_ns = self.team.now_ns();
        let team = self.team.clone();
        let (answer, refused) = self.ask(&team.task.records.write.request, &record).await;
        let mut operation = self.operation(OperationKind::Write, &record.key, start_ns, refused);
        operation.value = Some(record.value.clone());
        let record = match application::written(&team.task.records, answer) {
            Written::Acknowledged(id) => {
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
        self.tell(Done { operation, record });
    }

    async fn read(&mut self, record: &Record) {
        let start_ns = self.team.now_ns();
        let team = self.team.clone();
        let (answer, refused) = self.ask(&team.task.records.read.request, record).await;
        let mut operation = self.operation(OperationKind::Read, &record.key, start_ns, refused);
        match application::got(&team.task.records, answer) {
            Ok(value) => operation.value = value,
            Err(why) => (operation.outcome, operation.error) = (Outcome::Failed, Some(why)),
        }
        self.tell(Done { operation, record: None });
    }

    /// Asks over the connection that is kept, or a new one; answers also whether a new one was refused: nobody took
    /// it, or it ended without an answer, which is how a proxy on the way refuses.
    async fn ask(&mut self, request: &Request, record: &Record) -> (Result<Answer, Failure>, bool) {
        let kept = self.kept.take().filter(Connection::is_open);
        let is_new = kept.is_none();
        let connected = match kept {
            Some(connection) => Ok(connection),
            None => (self.connect)().await,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(failure) => return (Err(failure), true),
        };
        let answer = connection.ask(request, record.fill(), self.team.timeout()).await;
        // Over one that failed an answer may still come, to a question that nobody asks any more.
        self.kept = Some(connection).filter(|_| self.over.is_kept() && answer.is_ok());
        let refused = is_new && matches!(answer, Err(Failure::NotSent(_) | Failure::Unanswered(_)));
        (answer, refused)
    }

    /// An operation that ended now, well.
    fn operation(&self, kind: OperationKind, key: &str, start_ns: u64, refused: bool) -> Operation {
        Operation {
            client: self.name.clone(),
            replica: self.replica.clone(),
            connection: self.over,
            stage: Stage::Workload,
            kind,
            key: key.to_owned(),
            value: None,
            start_ns,
            end_ns: self.team.now_ns(),
            outcome: Outcome::Ok,
            error: None,
            refused,
        }
    }

    fn tell(&self, done: Done) {
        // Nobody listening is no reason to stop in the middle: the team is being stopped.
        drop(self.team.done.send(done));
    }
}
