//! A fault under load: clients at work, the fault, recovery, everything read back, judged.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use history::availability::{self, Availability};
use history::model::Minimum;
use history::{Connection, History, Verdict};
use kube::ResourceExt;

use super::context::CaseContext;
use super::kill::{self, Grace, Killed};
use super::restarts::Restarts;
use super::{service, settled};
use crate::deployed_topology::DeployedTopology;
use crate::workload::clients::{self, Clients};
use crate::workload::read_back::Reader;
use crate::workload::recorder::{self, Recorder};
use kubernetes::http::Http;
use kubernetes::watch::State;

/// How many records later cases look for.
const RECORDS_KEPT: usize = 50;

/// How long reads may go on being late where an application promises its records only in the end: pauses of 1, 2, 4, 8
/// and 16 s between one look at all of them and the next.
const LATE_PAUSES_S: [u64; 5] = [1, 2, 4, 8, 16];

/// A case that disturbs the release while clients write and read.
pub struct Disturbance<'a> {
    /// The case.
    pub cx: &'a CaseContext,
    /// Its topology's place.
    pub deployed: Arc<DeployedTopology>,
    /// What was done.
    pub recorder: Arc<Recorder>,
    /// How many replicas there are.
    pub replicas: u32,
    /// Whether clients in the cluster go through the Service as well.
    through_service: bool,
    /// How often replicas had restarted before.
    pub restarts: Restarts,
    clients: Option<Clients>,
}

impl<'a> Disturbance<'a> {
    /// Waits until all is settled, starts the clients, and lets them get going.
    ///
    /// # Errors
    /// Where it does not settle, or no write is acknowledged.
    pub async fn begin(cx: &'a CaseContext, replicas: u32) -> anyhow::Result<Self> {
        Self::begin_with(cx, replicas, true).await
    }

    /// The same without a client in the cluster.
    ///
    /// # Errors
    /// As [`Disturbance::begin`].
    pub async fn begin_outside(cx: &'a CaseContext, replicas: u32) -> anyhow::Result<Self> {
        Self::begin_with(cx, replicas, false).await
    }

    async fn begin_with(cx: &'a CaseContext, replicas: u32, has_client_inside: bool) -> anyhow::Result<Self> {
        let deployed = cx.deployed()?;
        settled::settled(cx, &deployed, replicas).await?;
        let recorder = Arc::new(Recorder::new(cx.name.clone(), cx.run.events.clone()));
        recorder.take_over(&deployed.records.lock().await);
        let task = clients::task(&deployed.suite, &cx.unique())?;
        let inside =
            if has_client_inside { service::start(cx, &deployed, &recorder, task.clone()).await? } else { None };
        let restarts = Restarts::default();
        restarts.count(&deployed.replicas());
        let (through_service, each) = (inside.is_some(), deployed.suite.load.clients_per_replica);
        // Pods of a Deployment get other names when they are replaced: their clients go through the Service.
        let lasting =
            if matches!(deployed.workload(), Ok(("StatefulSet", _))) { deployed.names(replicas) } else { Vec::new() };
        let clients = Clients::start(task, each, &deployed.http, &recorder, &lasting, inside);
        let disturbance = Self { cx, deployed, recorder, replicas, through_service, restarts, clients: Some(clients) };
        disturbance.acknowledged(0, disturbance.deployed.suite.load.before, "before the fault").await?;
        Ok(disturbance)
    }

    /// Kills a pod and waits until all is settled again.
    ///
    /// # Errors
    /// Where it can't be killed, or does not recover.
    pub async fn kill(&self, name: &str, grace: Grace, why: &str) -> anyhow::Result<()> {
        self.restarts.none_since(&self.deployed.replicas())?;
        let killed = kill::kill(&self.deployed, &self.recorder, name, grace, why).await?;
        self.recovered(&killed).await
    }

    /// Kills the leader and waits until another one is known and all is settled again.
    ///
    /// # Errors
    /// As [`Disturbance::kill`], and where the leader stays.
    pub async fn kill_leader(&self, leader: &str, grace: Grace) -> anyhow::Result<()> {
        self.restarts.none_since(&self.deployed.replicas())?;
        let killed = kill::kill(&self.deployed, &self.recorder, leader, grace, "the leader").await?;
        let old = killed.before.uid();
        let ask = async || match settled::leader(&self.deployed).await {
            // Its successor may be elected: that is another process, too.
            Some(now) if now != leader || self.deployed.pod(&now).and_then(|pod| pod.uid()) != old => Ok(()),
            Some(now) => Err(format!("{now} still leads")),
            None => Err("no replica names a leader".to_owned()),
        };
        self.cx.wait.ask_until(&self.deployed.watch, "another leader", ask).await?;
        self.recorder.new_leader(killed.fault);
        self.recovered(&killed).await
    }

    /// Kills every replica that was not killed yet, one after another, and reads everything back after each: what was
    /// read before may all have come from one of these.
    ///
    /// # Errors
    /// As [`Disturbance::kill`] and [`Disturbance::read_back`].
    pub async fn kill_the_rest(&self, killed: &[String]) -> anyhow::Result<()> {
        self.read_back().await?;
        for name in self.deployed.names(self.replicas).iter().filter(|name| !killed.contains(name)) {
            self.kill(name, Grace::Default, "so that each was gone once").await?;
            self.read_back().await?;
        }
        Ok(())
    }

    /// Waits until the pod's successor is there and everything is ready and agreed again.
    async fn recovered(&self, killed: &Killed) -> anyhow::Result<()> {
        let (name, workload) = (killed.before.name_any(), self.deployed.workload()?);
        let what = format!("a successor of Pod/{name}");
        let successor = |state: &State| killed.successor(state, workload);
        let after = self.cx.wait.until(&self.deployed.watch, &what, successor).await?;
        settled::settled(self.cx, &self.deployed, self.replicas).await?;
        self.recorder.recovered(killed.fault);
        let after = self.deployed.pod(&after.name_any()).unwrap_or(after);
        self.recorder.evidence(killed.fault, killed.difference(&after));
        self.restarts.count(&self.deployed.replicas());
        Ok(())
    }

    /// Reads every record known so far through every replica.
    ///
    /// # Errors
    /// Where a replica does not answer.
    pub async fn read_back(&self) -> anyhow::Result<()> {
        self.reader()?.read_all(&self.deployed.names(self.replicas)).await.map(drop)
    }

    /// Stops the clients, looks up what is unknown, reads everything back, and judges the history.
    ///
    /// # Errors
    /// What the checkers found, and where the history lies.
    pub async fn end(mut self) -> anyhow::Result<String> {
        let recovered_ns = self.recorder.now_ns();
        self.acknowledged(recovered_ns, self.deployed.suite.load.after, "after recovery").await?;
        if let Some(clients) = self.clients.take() {
            clients.stop().await?;
        }
        let names = self.deployed.names(self.replicas);
        if let Some(first) = names.first() {
            self.reader()?.look_up_unknown(first).await?;
        }
        self.read_back().await?;
        self.await_late_reads(&names).await?;
        self.restarts.none_since(&self.deployed.replicas())?;
        self.judge(names).await
    }

    /// Reads everything back again where reads may be late, until every replica has what was promised or has had its time.
    async fn await_late_reads(&self, names: &[String]) -> anyhow::Result<()> {
        if !self.deployed.suite.records()?.promise.allows_late_reads() {
            return Ok(());
        }
        for pause_s in LATE_PAUSES_S {
            let history = self.history(names.to_vec())?;
            let late = [history::judge::kept(&history).1, history::agreement::check(&history)];
            let late = late.into_iter().find(|verdict| *verdict != Verdict::Holds);
            let pause = Duration::from_secs(pause_s);
            let Some(late) = late.filter(|_| pause * 2 < self.cx.wait.left()) else { return Ok(()) };
            self.cx.wait.waiting(format!("every record as promised: {late}"));
            tokio::time::sleep(pause).await;
            self.read_back().await?;
        }
        Ok(())
    }

    fn history(&self, replicas: Vec<String>) -> anyhow::Result<History> {
        let load = &self.deployed.suite.load;
        let minimum = Minimum { before: load.before, during: self.during(), after: load.after };
        Ok(self.recorder.history(self.deployed.suite.records()?.promise, replicas, minimum))
    }

    async fn judge(&self, replicas: Vec<String>) -> anyhow::Result<String> {
        let history = self.history(replicas)?;
        let file = recorder::save(&history, &self.cx.run.folder)?;
        let judgement = history::judge(&history);
        if !judgement.holds() {
            let faults = history.faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join(", then ");
            let failures = history::failures(&history, &judgement).join("\n");
            bail!("{failures}\nfaults: {faults}\nhistory: {}\ncheck it again: cargo xtask check {0}", file.display());
        }
        *self.deployed.records.lock().await = self.recorder.sample(RECORDS_KEPT);
        self.cx.run.spend(self.cx.variant()?, &self.cx.spec.name, &judgement.availability)?;
        let service = if self.through_service { "" } else { "; no client in the cluster: no node takes it" };
        let strangers = self.strangers();
        Ok(format!("{}{service}{strangers}", note(&judgement.availability, self.recorder.known().len())))
    }

    /// How many writes have to be acknowledged from a fault to recovery: with fewer than three replicas, no quorum stays
    /// when one goes.
    fn during(&self) -> usize {
        if self.replicas > 2 { self.deployed.suite.load.during } else { 0 }
    }

    /// Waits until all is settled again after a fault, and writes go through: only that is recovery.
    ///
    /// # Errors
    /// Where that does not come about in the case's time.
    pub async fn settled_again(&self, fault: usize) -> anyhow::Result<()> {
        settled::settled(self.cx, &self.deployed, self.replicas).await?;
        let began_ns = self.recorder.began_ns(fault);
        self.acknowledged_over(None, began_ns, self.during(), "since the fault").await?;
        self.recorder.recovered(fault);
        Ok(())
    }

    /// Waits until so many writes were acknowledged since then, and one over each kind of connection through the
    /// Service.
    ///
    /// # Errors
    /// Where that does not come about in the case's time.
    pub async fn acknowledged(&self, since_ns: u64, wanted: usize, when: &str) -> anyhow::Result<()> {
        self.acknowledged_over(None, since_ns, wanted, when).await?;
        for over in [Connection::Service, Connection::ServiceReused].into_iter().filter(|_| self.through_service) {
            self.acknowledged_over(Some(over), since_ns, 1, when).await?;
        }
        Ok(())
    }

    async fn acknowledged_over(
        &self,
        over: Option<Connection>,
        since_ns: u64,
        wanted: usize,
        when: &str,
    ) -> anyhow::Result<()> {
        let over_what = over.map(|over| format!(" over {over}")).unwrap_or_default();
        let what = format!("{wanted} acknowledged writes{over_what} {when}");
        let ask = async || match self.recorder.acknowledged_since(since_ns, over) {
            count if count >= wanted => Ok(()),
            count => {
                let last = self.recorder.last_error(over).map(|error| format!("; {error}")).unwrap_or_default();
                Err(format!("{count}{last}{}", self.strangers()))
            }
        };
        self.cx.wait.ask_until(&self.deployed.watch, &what, ask).await
    }

    fn strangers(&self) -> String {
        self.recorder.strangers().map(|strangers| format!("; {strangers}")).unwrap_or_default()
    }

    fn reader(&self) -> anyhow::Result<Reader<'_>> {
        let http: &Http = &self.deployed.http;
        Ok(Reader {
            records: self.deployed.suite.records()?,
            http,
            watch: &self.deployed.watch,
            wait: &self.cx.wait,
            recorder: &self.recorder,
        })
    }
}

/// `120 acknowledged writes kept; longest gap 1200 ms (new), 900 ms (reused); 7 errors; new leader after 900 ms`: the
/// worst of all faults.
fn note(availability: &[Availability], kept: usize) -> String {
    let availability = availability::worst(availability);
    let mut parts = vec![format!("{kept} acknowledged writes kept")];
    let gaps = availability.by_connection.iter();
    let gaps: Vec<_> = gaps.map(|(over, figures)| format!("{} ms ({over})", figures.longest_gap_ms)).collect();
    parts.push(format!("longest gap {}", gaps.join(", ")));
    let errors = availability.by_connection.iter();
    let errors: Vec<_> = errors.map(|(over, figures)| format!("{} ({over})", figures.errors)).collect();
    parts.push(format!("errors {}", errors.join(", ")));
    parts.extend(availability.new_leader_ms.map(|ms| format!("new leader after {ms} ms")));
    parts.extend(availability.recovered_ms.map(|ms| format!("recovered after {ms} ms")));
    parts.join("; ")
}
