//! After a fault: looks up writes of unknown outcome, and reads every known record through every replica.

use std::collections::BTreeMap;

use client::application::{self, Record};
use history::{Connection as Over, Operation, OperationKind, Stage};

use super::recorder::Recorder;
use kubernetes::http::{Connection, Http};
use kubernetes::wait::Waiter;
use kubernetes::watch::Watch;
use suite::Records;

/// The number of connections to each replica.
const CONNECTIONS: usize = 4;

/// Reads records from an application that has settled.
pub struct Reader<'a> {
    /// How records are read.
    pub records: &'a Records,
    /// HTTP to the pods.
    pub http: &'a Http,
    /// The watch of the namespace.
    pub watch: &'a Watch,
    /// The case's time limit.
    pub wait: &'a Waiter,
    /// Records the reads.
    pub recorder: &'a Recorder,
}

impl Reader<'_> {
    /// Looks up every write of unknown outcome; those that took effect become known records.
    ///
    /// # Errors
    /// If the replica does not respond within the case's time limit.
    pub async fn look_up_unknown(&self, replica: &str) -> anyhow::Result<()> {
        for record in self.recorder.take_unknown() {
            let what = format!("looking up {} through {replica}", record.key);
            let start_ns = self.recorder.now_ns();
            let find = async || {
                let answer = self.http.ask(replica, application::lookup(self.records), record.fill()).await;
                application::found(self.records, answer, &record)
            };
            let found = self.wait.ask_until(self.watch, &what, find).await?;
            let value = found.as_ref().map(|found| found.value.clone());
            self.add(Stage::Lookup, replica, &record, value.clone(), start_ns);
            // A register may have a later value by now, which tells nothing about this write.
            if let Some(found) = found.filter(|found| found.value == record.value) {
                self.recorder.know(found);
            }
        }
        Ok(())
    }

    /// Reads every known record through every replica, in parallel. A key that was overwritten is read only once,
    /// since two parallel reads by one client would have no order.
    ///
    /// # Errors
    /// If a replica does not respond within the case's time limit.
    pub async fn read_all(&self, replicas: &[String]) -> anyhow::Result<usize> {
        let known: BTreeMap<_, _> =
            self.recorder.known().into_iter().map(|record| (record.key.clone(), record)).collect();
        let known: Vec<_> = known.into_values().collect();
        let through = replicas.iter().map(|replica| self.read_through(replica, &known));
        futures::future::try_join_all(through).await?;
        Ok(known.len())
    }

    /// Reads over several connections at once, since most of the time of a read is latency.
    async fn read_through(&self, replica: &str, known: &[Record]) -> anyhow::Result<()> {
        let each = known.len().div_ceil(CONNECTIONS).max(1);
        let lanes = known.chunks(each).map(|lane| self.read_over_one(replica, lane, known.len()));
        futures::future::try_join_all(lanes).await.map(drop)
    }

    async fn read_over_one(&self, replica: &str, lane: &[Record], of: usize) -> anyhow::Result<()> {
        let mut kept: Option<Connection> = None;
        for record in lane {
            let what = format!("reading {} of {of} records through {replica}", record.key);
            let mut start_ns = self.recorder.now_ns();
            let read = async || {
                start_ns = self.recorder.now_ns();
                let connected = match kept.take().filter(Connection::is_open) {
                    Some(connection) => Ok(connection),
                    None => self.http.connect(replica).await,
                };
                let mut connection = connected.map_err(|failure| failure.to_string())?;
                let request = &self.records.read.request;
                let answer = connection.ask(request, record.fill(), self.http.timeout()).await;
                let got = application::got(self.records, answer);
                kept = Some(connection).filter(|_| got.is_ok());
                got
            };
            let value = self.wait.ask_until(self.watch, &what, read).await?;
            self.add(Stage::ReadBack, replica, record, value, start_ns);
        }
        Ok(())
    }

    fn add(&self, stage: Stage, replica: &str, record: &Record, value: Option<String>, start_ns: u64) {
        let times = (start_ns, self.recorder.now_ns());
        let read = Operation::new(format!("reader-{replica}"), OperationKind::Read, &record.key, times);
        let (replica, connection) = (Some(replica.to_owned()), Over::Reused);
        self.recorder.add(Operation { replica, connection, stage, value, ..read });
    }
}
