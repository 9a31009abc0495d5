//! A fault under load: starts clients, waits for recovery after the fault, reads everything back, and checks the
//! history.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use client::team::{Task, Traffic};
use history::availability::Availability;
use history::model::Minimum;
use history::{Connection, History, Promise, Verdict};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::broken_promise::BrokenPromise;
use super::context::CaseContext;
use super::costs;
use super::kill::{self, Grace, Killed};
use super::restarts::Restarts;
use super::{service, settled};
use crate::deployed_topology::DeployedTopology;
use crate::workload::clients::{self, Clients};
use crate::workload::read_back::Reader;
use crate::workload::recorder::{self, Recorder};
use console::program;
use events::What;
use kubernetes::watch::State;
use suite::Workload;

/// The number of records that are kept for later cases.
const RECORDS_KEPT: usize = 50;

/// The pauses between reading everything back, if the application allows late reads.
const LATE_PAUSES_S: [u64; 5] = [1, 2, 4, 8, 16];

/// A case that disturbs the release while clients write and read.
pub struct Disturbance<'a> {
    /// The case.
    pub cx: &'a CaseContext,
    /// Its deployed topology.
    pub deployed: Arc<DeployedTopology>,
    /// Records operations and faults.
    pub recorder: Arc<Recorder>,
    /// The number of replicas.
    pub replicas: u32,
    /// What is counted to see whether the application works.
    signs: Signs,
    /// The connections of clients in the cluster, which go through the Service.
    through_service: &'static [Connection],
    /// The restarts of replicas before the fault.
    pub restarts: Restarts,
    clients: Option<Clients>,
}

impl<'a> Disturbance<'a> {
    /// Waits until the replicas are ready and agree, starts the clients, and waits for acknowledged writes.
    ///
    /// # Errors
    /// If the replicas don't settle, or too few writes are acknowledged.
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
        recorder.take_over(&deployed.kept.lock().await);
        let task = clients::task(&deployed, &cx.unique()).await?;
        let inside =
            if has_client_inside { service::start(cx, &deployed, &recorder, task.clone()).await? } else { None };
        let restarts = Restarts::default();
        restarts.count(&deployed.replicas());
        let through_service = match (&inside, &task) {
            (Some(_), Some(task)) => service::connections(&task.traffic),
            _ => &[],
        };
        // Pods of a Deployment get new names when they are replaced, so its clients only go through the Service.
        let lasting =
            if matches!(deployed.workload(), Ok(("StatefulSet", _))) { deployed.names(replicas) } else { Vec::new() };
        let signs = Signs::of(task.as_ref(), inside.is_some() || !lasting.is_empty());
        let clients = match task.filter(|_| signs != Signs::Readiness) {
            Some(task) => Clients::start((&deployed, &recorder), task, &lasting, inside),
            None => Clients::observe((&deployed, &recorder)),
        };
        let clients = Some(clients);
        let disturbance = Self { cx, deployed, recorder, replicas, signs, through_service, restarts, clients };
        disturbance.acknowledged(0, disturbance.deployed.suite.load.before, "before the fault").await?;
        Ok(disturbance)
    }

    /// Kills a pod and waits for recovery.
    ///
    /// # Errors
    /// If the pod can't be killed, or the application does not recover.
    pub async fn kill(&self, name: &str, grace: Grace, why: &str) -> anyhow::Result<()> {
        self.restarts.none_since(&self.deployed.replicas())?;
        let killed = kill::kill(&self.deployed, &self.recorder, name, grace, why).await?;
        self.recovered(&killed).await
    }

    /// Kills the leader, and waits for a new leader and for recovery.
    ///
    /// # Errors
    /// As [`Disturbance::kill`], and if the leader does not change.
    pub async fn kill_leader(&self, leader: &str, grace: Grace) -> anyhow::Result<()> {
        self.restarts.none_since(&self.deployed.replicas())?;
        let killed = kill::kill(&self.deployed, &self.recorder, leader, grace, "the leader").await?;
        let old = killed.before.uid();
        let ask = async || match settled::leader(&self.deployed).await {
            // The pod's successor may be elected: it is a new process.
            Some(now) if now != leader || self.deployed.pod(&now).and_then(|pod| pod.uid()) != old => Ok(()),
            Some(now) => Err(format!("{now} still leads")),
            None => Err("no replica reports a leader".to_owned()),
        };
        self.cx.wait.ask_until(&self.deployed.watch, "another leader", ask).await?;
        self.recorder.new_leader(killed.fault);
        self.recovered(&killed).await
    }

    /// Kills every replica that was not killed yet, one after another, and reads everything back after each kill:
    /// earlier reads may all have been served by one of these.
    ///
    /// # Errors
    /// As [`Disturbance::kill`] and [`Disturbance::read_back`].
    pub async fn kill_the_rest(&self, killed: &[String]) -> anyhow::Result<()> {
        self.read_back().await?;
        for name in self.deployed.names(self.replicas).iter().filter(|name| !killed.contains(name)) {
            self.kill(name, Grace::Default, "remaining replica").await?;
            self.read_back().await?;
        }
        Ok(())
    }

    /// Waits until a killed pod has a successor.
    ///
    /// # Errors
    /// If this takes longer than the case's time limit.
    pub async fn successor(&self, killed: &Killed) -> anyhow::Result<Pod> {
        let workload = self.deployed.workload()?;
        let what = format!("a successor of Pod/{}", killed.before.name_any());
        let successor = |state: &State| killed.successor(state, workload);
        self.cx.wait.until(&self.deployed.watch, &what, successor).await
    }

    /// Waits until the pod has a successor, and the replicas are ready and agree again.
    async fn recovered(&self, killed: &Killed) -> anyhow::Result<()> {
        let after = self.successor(killed).await?;
        settled::settled(self.cx, &self.deployed, self.replicas).await?;
        self.recorder.recovered(killed.fault);
        let after = self.deployed.pod(&after.name_any()).unwrap_or(after);
        self.recorder.evidence(killed.fault, killed.difference(&after));
        self.restarts.count(&self.deployed.replicas());
        Ok(())
    }

    /// Reads every record known so far through every replica. Does nothing if the suite has no `[records]`.
    ///
    /// # Errors
    /// If a replica does not respond.
    pub async fn read_back(&self) -> anyhow::Result<()> {
        let Some(reader) = self.reader() else { return Ok(()) };
        reader.read_all(&self.deployed.names(self.replicas)).await.map(drop)
    }

    /// Stops the clients, looks up writes of unknown outcome, reads everything back, and checks the history.
    ///
    /// # Errors
    /// The findings of the checkers, with the path of the history, or costs that exceed the budget.
    pub async fn end(self) -> anyhow::Result<String> {
        let cx = self.cx;
        let (note, availability) = self.judged().await?;
        cx.run.spend(cx.variant()?, &cx.spec.name, &availability)?;
        Ok(note)
    }

    /// The same without a budget; returns the costs as well.
    ///
    /// # Errors
    /// The findings of the checkers, with the path of the history.
    pub async fn judged(mut self) -> anyhow::Result<(String, Vec<Availability>)> {
        let recovered_ns = self.recorder.now_ns();
        self.acknowledged(recovered_ns, self.deployed.suite.load.after, "after recovery").await?;
        if let Some(clients) = self.clients.take() {
            clients.stop().await?;
        }
        let names = self.deployed.names(self.replicas);
        if let Some((reader, first)) = self.reader().zip(names.first()) {
            reader.look_up_unknown(first).await?;
        }
        self.read_back().await?;
        self.await_late_reads(&names).await?;
        self.restarts.none_since(&self.deployed.replicas())?;
        self.judge(names).await
    }

    /// If reads may be late, reads everything back again until every replica has all records, or the pauses are over.
    async fn await_late_reads(&self, names: &[String]) -> anyhow::Result<()> {
        if !self.promise().allows_late_reads() {
            return Ok(());
        }
        for pause_s in LATE_PAUSES_S {
            let history = self.history(names.to_vec());
            let late = [history::judge::kept(&history).1, history::agreement::check(&history)];
            let late = late.into_iter().find(|verdict| *verdict != Verdict::Holds);
            let pause = Duration::from_secs(pause_s);
            let Some(late) = late.filter(|_| pause * 2 < self.cx.wait.left()) else { return Ok(()) };
            self.cx.wait.waiting(format!("late reads: {late}"));
            tokio::time::sleep(pause).await;
            self.read_back().await?;
        }
        Ok(())
    }

    fn promise(&self) -> Promise {
        self.deployed.records().map_or(Promise::None, |records| records.promise)
    }

    fn history(&self, replicas: Vec<String>) -> History {
        let load = &self.deployed.suite.load;
        let minimum = Minimum { before: load.before, during: self.during(), after: load.after };
        self.recorder.history(self.promise(), replicas, minimum)
    }

    async fn judge(&self, replicas: Vec<String>) -> anyhow::Result<(String, Vec<Availability>)> {
        let history = self.history(replicas);
        let file = recorder::save(&history, &self.cx.run.folder)?;
        let judgement = history::judge(&history);
        if !judgement.holds() {
            self.show_example(&history);
            let faults = history.faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join(", then ");
            let failures = history::failures(&history, &judgement).join("\n");
            let (file, again) = (file.display(), program::command());
            let text = format!("{failures}\nfaults: {faults}\nhistory: {file}\ncheck it again: {again} check {file}");
            return Err(BrokenPromise(text).into());
        }
        *self.deployed.kept.lock().await = self.recorder.sample(RECORDS_KEPT);
        let count = self.recorder.known().len();
        let data = match self.deployed.records().map(|records| records.promise) {
            Ok(Promise::None) => format!("{count} writes acknowledged; nothing was promised, so data was not checked"),
            Ok(_) => format!("{count} acknowledged writes kept"),
            Err(_) => "data not checked: no [records]".to_owned(),
        };
        let note = format!("{data}; {}{}{}", costs::note(&judgement.availability), self.outside(), self.strangers());
        Ok((note, judgement.availability))
    }

    /// Adds the example of a loss to the report's timeline.
    fn show_example(&self, history: &History) {
        for step in history::example(history) {
            let (case, happened_ms) = (self.cx.name.clone(), step.at_ns / 1_000_000);
            self.cx.run.events.send(What::Example { case, what: step.what, happened_ms });
        }
    }

    /// Notes why nothing was asked through the Service, although it could have been.
    fn outside(&self) -> &'static str {
        let tested = self.deployed.tested.as_deref();
        let could = |workload: &Workload| {
            workload.service.is_some() && (workload.records.is_some() || workload.health_request().is_some())
        };
        if !self.through_service.is_empty() || !tested.is_some_and(could) {
            return "";
        }
        if self.cx.run.client_image().is_none() {
            return "; no client in the cluster: no node can run it";
        }
        "; nothing went through the Service: the commands of the suite have no ${host}"
    }

    /// Returns how many writes must be acknowledged between a fault and recovery: none with fewer than three replicas,
    /// since losing one breaks the quorum.
    fn during(&self) -> usize {
        if self.replicas > 2 { self.deployed.suite.load.during } else { 0 }
    }

    /// Waits after a fault until the replicas are ready and agree again and writes are acknowledged, which is
    /// recovery.
    ///
    /// # Errors
    /// If this takes longer than the case's time limit.
    pub async fn settled_again(&self, fault: usize) -> anyhow::Result<()> {
        settled::settled(self.cx, &self.deployed, self.replicas).await?;
        let began_ns = self.recorder.began_ns(fault);
        self.acknowledged_over(None, began_ns, self.during(), "since the fault").await?;
        self.recorder.recovered(fault);
        Ok(())
    }

    /// Waits until `wanted` writes were acknowledged since then, and one over each kind of connection through the
    /// Service.
    ///
    /// # Errors
    /// If this takes longer than the case's time limit.
    pub async fn acknowledged(&self, since_ns: u64, wanted: usize, when: &str) -> anyhow::Result<()> {
        self.acknowledged_over(None, since_ns, wanted, when).await?;
        for over in self.through_service {
            self.acknowledged_over(Some(*over), since_ns, 1, when).await?;
        }
        Ok(())
    }

    /// Waits until a write was acknowledged since then through other replicas than those that a fault has `apart`.
    ///
    /// # Errors
    /// If this takes longer than the case's time limit.
    pub async fn acknowledged_without(
        &self,
        apart: &BTreeSet<String>,
        since_ns: u64,
        fault: &str,
    ) -> anyhow::Result<()> {
        let what = format!("{} through the other replicas during the fault ({fault})", self.signs);
        let ask = async || match self.recorder.acknowledged_without(apart, since_ns) {
            0 => {
                let last = self.recorder.last_error(None).map(|error| format!("; {error}")).unwrap_or_default();
                Err(format!("none{last}"))
            }
            _ => Ok(()),
        };
        self.cx.wait.ask_until(&self.deployed.watch, &what, ask).await
    }

    async fn acknowledged_over(
        &self,
        over: Option<Connection>,
        since_ns: u64,
        wanted: usize,
        when: &str,
    ) -> anyhow::Result<()> {
        let over_what = over.map(|over| format!(" over {over}")).unwrap_or_default();
        let what = format!("{wanted} {}{over_what} {when}", self.signs);
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

    fn reader(&self) -> Option<Reader<'_>> {
        let records = self.deployed.records().ok()?;
        let (application, watch, wait) = (&self.deployed.application, &self.deployed.watch, &self.cx.wait);
        let inside = Some(&*self.deployed).filter(|_| !self.through_service.is_empty());
        Some(Reader { records, application, watch, wait, recorder: &self.recorder, inside })
    }
}

/// What is counted to see whether the application works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signs {
    Writes,
    Health,
    Readiness,
}

impl Signs {
    /// `can_ask` is whether there is a connection for the clients.
    fn of(task: Option<&Task>, can_ask: bool) -> Self {
        match task.map(|task| &task.traffic) {
            Some(Traffic::Records(_)) => Self::Writes,
            Some(Traffic::Health(_)) if can_ask => Self::Health,
            Some(Traffic::Health(_)) | None => Self::Readiness,
        }
    }
}

impl fmt::Display for Signs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writes => "acknowledged writes",
            Self::Health => "healthy responses",
            Self::Readiness => "observations of a ready replica",
        })
    }
}
