//! After a fault: what became of writes that were not answered, and every known record through every replica.

use client::application::{self, Record};
use history::{Connection, OperationKind, Outcome, Stage};

use super::recorder::{Asked, Ended, Recorder};
use crate::kubernetes::http::Http;
use crate::kubernetes::wait::Waiter;
use crate::kubernetes::watch::Watch;
use crate::suite::Records;

/// Asks a settled application about its records.
pub struct Reader<'a> {
    /// How records are read.
    pub records: &'a Records,
    /// To the pods.
    pub http: &'a Http,
    /// What is seen of the namespace meanwhile.
    pub watch: &'a Watch,
    /// The case's time.
    pub wait: &'a Waiter,
    /// Where the answers go.
    pub recorder: &'a Recorder,
}

impl Reader<'_> {
    /// Looks up every write of which nobody knows whether it had an effect; those that had are known then.
    ///
    /// # Errors
    /// Where the replica does not answer within the case's time.
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
            // A register may hold a later value by now; then this says nothing of ours.
            if let Some(found) = found.filter(|found| found.value == record.value) {
                self.recorder.know(found);
            }
        }
        Ok(())
    }

    /// Reads every known record through every replica, side by side.
    ///
    /// # Errors
    /// Where a replica does not answer within the case's time.
    pub async fn read_all(&self, replicas: &[String]) -> anyhow::Result<usize> {
        let known = self.recorder.known();
        let through = replicas.iter().map(|replica| self.read_through(replica, &known));
        futures::future::try_join_all(through).await?;
        Ok(known.len())
    }

    async fn read_through(&self, replica: &str, known: &[Record]) -> anyhow::Result<()> {
        for (number, record) in known.iter().enumerate() {
            let what = format!("reading record {} of {} through {replica}", number + 1, known.len());
            let mut start_ns = self.recorder.now_ns();
            let read = async || {
                start_ns = self.recorder.now_ns();
                let answer = self.http.ask(replica, &self.records.read.request, record.fill()).await;
                application::got(self.records, answer)
            };
            let value = self.wait.ask_until(self.watch, &what, read).await?;
            self.add(Stage::ReadBack, replica, record, value, start_ns);
        }
        Ok(())
    }

    fn add(&self, stage: Stage, replica: &str, record: &Record, value: Option<String>, start_ns: u64) {
        let client = format!("reader-{replica}");
        let asked = Asked { client, replica: replica.to_owned(), connection: Connection::Reused, stage };
        let ended = Ended { start_ns, outcome: Outcome::Ok, error: None };
        self.recorder.ended(&asked, OperationKind::Read, &record.key, value, ended);
    }
}
