//! After a fault: looks up writes of unknown outcome, and reads every known record through every replica. What the client in
//! the cluster can read is read there, since each read over a port-forward passes through the API server and the kubelet.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use client::application::{self, Record};
use client::connection::Connection;
use client::read_back::{self, CONNECTIONS, ReadBack};
use client::records::Read;
use client::target;
use client::template::{Fill, Secrets};
use history::{Operation, Stage};

use super::inside;
use super::recorder::Recorder;
use crate::deployed_topology::DeployedTopology;
use kubernetes::ask::PodClient;
use kubernetes::objects;
use kubernetes::wait::Waiter;
use kubernetes::watch::Watch;
use suite::Records;

/// The time for all reads from inside the cluster; what is not read by then is read over port-forwards.
const INSIDE_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// The topology, if the client in the cluster runs there.
    pub inside: Option<&'a DeployedTopology>,
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
        let read_inside = self.read_inside(replicas, &known, (read, &secrets)).await;
        let is_left = |replica: &str, record: &Record| !read_inside.contains(&(replica.to_owned(), record.key.clone()));
        let left = replicas.iter().map(|replica| {
            let left: Vec<_> = known.iter().filter(|record| is_left(replica, record)).cloned().collect();
            (replica, left)
        });
        let left: Vec<_> = left.collect();
        let through = left.iter().map(|(replica, left)| self.read_through(replica, left, (read, &secrets)));
        futures::future::try_join_all(through).await?;
        Ok(known.len())
    }

    /// Reads what the client in the cluster can read; returns the replica and key of each read.
    async fn read_inside(
        &self,
        replicas: &[String],
        known: &[Record],
        (read, secrets): (&Read, &Secrets),
    ) -> HashSet<(String, String)> {
        let Some(deployed) = self.inside.filter(|_| read.request.goes_to_any_host()) else { return HashSet::new() };
        self.wait.waiting(format!("reading {} records from inside the cluster", known.len()));
        let host = |name: &String| Some((name.clone(), objects::ip(&deployed.pod(name)?)?.to_owned()));
        let what = ReadBack {
            replicas: replicas.iter().filter_map(host).collect(),
            records: known.to_vec(),
            read: read.clone(),
            reach: self.application.reach().clone(),
            secrets: secrets.clone(),
        };
        let reads = tokio::time::timeout(INSIDE_TIMEOUT, inside::read_back(deployed, self.recorder, what)).await;
        let reads = reads.unwrap_or_else(|_| Err("timed out".to_owned())).unwrap_or_else(|why| {
            tracing::debug!("the client in the cluster can't read records: {why}");
            Vec::new()
        });
        let name = |read: &Operation| (read.replica.clone().unwrap_or_default(), read.key.clone());
        let names = reads.iter().map(name).collect();
        for read in reads {
            self.recorder.add(read);
        }
        names
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
        let read = read_back::operation(replica, record, value, (start_ns, self.recorder.now_ns()));
        self.recorder.add(Operation { stage, ..read });
    }
}
