//! After a fault: looks up writes of unknown outcome, and reads every known record through every replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use client::application::{self, Record};
use client::connection::Connection;
use client::records::Read;
use client::target;
use client::template::{Fill, Secrets};
use history::{Connection as Over, Operation, OperationKind, Stage};

use super::recorder::Recorder;
use kubernetes::ask::PodClient;
use kubernetes::wait::Waiter;
use kubernetes::watch::Watch;
use suite::Records;

/// The number of connections to each replica.
const CONNECTIONS: usize = 4;

/// Reads records from an application that has settled.
pub struct Reader<'a> {
    /// How records are read.
    pub records: &'a Records,
    /// Sends requests to the pods.
    pub application: &'a Arc<PodClient>,
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
        let Some(lookup) = application::lookup(self.records) else { return Ok(()) };
        for record in self.recorder.take_unknown() {
            let what = format!("looking up {} through {replica}", record.key);
            let start_ns = self.recorder.now_ns();
            let find = async || {
                let answer = self.application.ask(replica, lookup, record.fill()).await;
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
        let Some(read) = self.records.read_back() else { return Ok(0) };
        let secrets = self.application.secrets(read.request.secrets()).await.map_err(anyhow::Error::msg)?;
        let known: BTreeMap<_, _> =
            self.recorder.known().into_iter().map(|record| (record.key.clone(), record)).collect();
        let known: Vec<_> = known.into_values().collect();
        let through = replicas.iter().map(|replica| self.read_through(replica, &known, (read, &secrets)));
        futures::future::try_join_all(through).await?;
        Ok(known.len())
    }

    /// Reads over several connections at once, since most of the time of a read is latency.
    async fn read_through(&self, replica: &str, known: &[Record], read: (&Read, &Secrets)) -> anyhow::Result<()> {
        let each = known.len().div_ceil(CONNECTIONS).max(1);
        let lanes = known.chunks(each).map(|lane| self.read_over_one(replica, (lane, known.len()), read));
        futures::future::try_join_all(lanes).await.map(drop)
    }

    async fn read_over_one(
        &self,
        replica: &str,
        (lane, of): (&[Record], usize),
        (read, secrets): (&Read, &Secrets),
    ) -> anyhow::Result<()> {
        let (pod, timeout) = (self.application.pod(replica), self.application.reach().timeout(&read.request));
        let mut kept: Option<Connection> = None;
        for record in lane {
            let what = format!("reading {} of {of} records through {replica}", record.key);
            let mut start_ns = self.recorder.now_ns();
            let ask = async || {
                start_ns = self.recorder.now_ns();
                let fill = Fill { secrets: Some(secrets), ..record.fill() };
                let exchange = target::ask(&pod, kept.take(), &read.request, fill, timeout).await;
                let got = application::got(read, exchange.response);
                kept = exchange.connection.filter(|_| got.is_ok());
                got
            };
            let value = self.wait.ask_until(self.watch, &what, ask).await?;
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
