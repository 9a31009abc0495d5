//! The clients around a fault: they write and read through every replica, over new and over kept connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use history::{Connection as Over, OperationKind, Outcome, Promise, Stage};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::application::{self, Record, Via, Written};
use super::recorder::{Asked, Ended, Recorder};
use crate::kubernetes::http::{Connection, Failure, Http};
use crate::suite::{Records, Suite};

/// Keys that registers are written under, again and again.
const REGISTERS: u64 = 5;

/// Clients at work, until they are stopped.
pub struct Clients {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// One client: one operation at a time, through one replica.
struct Client {
    asked: Asked,
    http: Arc<Http>,
    records: Arc<Records>,
    recorder: Arc<Recorder>,
    numbers: Arc<AtomicU64>,
    kept: Option<Connection>,
}

impl Clients {
    /// Starts the suite's clients for these replicas; `prefix` makes their records unique.
    pub fn start(
        suite: &Suite,
        records: &Records,
        http: &Arc<Http>,
        recorder: &Arc<Recorder>,
        replicas: &[String],
        prefix: &str,
    ) -> Self {
        let stop = CancellationToken::new();
        let records = Arc::new(records.clone());
        let numbers = Arc::new(AtomicU64::new(0));
        let pause = Duration::from_millis(suite.load.pause_ms);
        let mut tasks = JoinSet::new();
        for number in 0..suite.load.clients_per_replica {
            for replica in replicas {
                for over in [Over::New, Over::Reused] {
                    let kind = if over == Over::New { "new" } else { "kept" };
                    let asked = Asked {
                        client: format!("{prefix}-{replica}-{kind}-{number}"),
                        replica: replica.clone(),
                        connection: over,
                        stage: Stage::Workload,
                    };
                    let client = Client {
                        asked,
                        http: http.clone(),
                        records: records.clone(),
                        recorder: recorder.clone(),
                        numbers: numbers.clone(),
                        kept: None,
                    };
                    tasks.spawn(client.work(stop.clone(), pause));
                }
            }
        }
        Self { stop, tasks }
    }

    /// Lets every client finish the operation that is under way, and no more.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.join_all().await;
    }
}

impl Client {
    async fn work(mut self, stop: CancellationToken, pause: Duration) {
        while !stop.is_cancelled() {
            self.write().await;
            if let Some(record) = self.recorder.last_known() {
                self.read(&record).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// A record of which no other client knows; a register's key is shared, its value is not.
    fn next(&self) -> Record {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{number}", self.asked.client);
        match self.records.promise {
            Promise::Set | Promise::EventualSet => Record::new(unique.clone(), unique),
            Promise::Register | Promise::EventualRegister => {
                Record::new(format!("register-{}", number % REGISTERS), unique)
            }
        }
    }

    async fn write(&mut self) {
        let record = self.next();
        let start_ns = self.recorder.now_ns();
        let records = self.records.clone();
        let written = match self.connection().await {
            Ok(mut connection) => {
                let timeout = self.http.timeout();
                let written = application::write(&records, Via::Own(&mut connection, timeout), &record).await;
                self.keep(connection);
                written
            }
            Err(failure) => Written::Failed(failure.to_string()),
        };
        let (outcome, error) = match &written {
            Written::Acknowledged(_) => (Outcome::Ok, None),
            Written::Failed(why) => (Outcome::Failed, Some(why.clone())),
            Written::Unknown(why) => (Outcome::Unknown, Some(why.clone())),
        };
        let ended = Ended { start_ns, outcome, error };
        self.recorder.ended(&self.asked, OperationKind::Write, &record.key, Some(record.value.clone()), ended);
        match written {
            Written::Acknowledged(id) => self.recorder.know(Record { id, ..record }),
            Written::Unknown(_) => self.recorder.wonder(record),
            Written::Failed(_) => {}
        }
    }

    async fn read(&mut self, record: &Record) {
        let start_ns = self.recorder.now_ns();
        let records = self.records.clone();
        let got = match self.connection().await {
            Ok(mut connection) => {
                let timeout = self.http.timeout();
                let got = application::read(&records, Via::Own(&mut connection, timeout), record).await;
                self.keep(connection);
                got
            }
            Err(failure) => Err(failure.to_string()),
        };
        let (value, outcome, error) = match got {
            Ok(value) => (value, Outcome::Ok, None),
            Err(why) => (None, Outcome::Failed, Some(why)),
        };
        let ended = Ended { start_ns, outcome, error };
        self.recorder.ended(&self.asked, OperationKind::Read, &record.key, value, ended);
    }

    async fn connection(&mut self) -> Result<Connection, Failure> {
        match self.kept.take().filter(Connection::is_open) {
            Some(connection) => Ok(connection),
            None => self.http.connect(&self.asked.replica).await,
        }
    }

    fn keep(&mut self, connection: Connection) {
        if self.asked.connection == Over::Reused {
            self.kept = Some(connection);
        }
    }
}
