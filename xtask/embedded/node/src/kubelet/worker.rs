//! One pod's worker: repeatedly brings the pod from its current to its desired state.
//!
//! As in kubelet, a round first writes the current status and then acts; the effects appear in the status of the next
//! round, which follows at once. So states appear in kubelet's order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use runtime::Sandbox;
use tokio::sync::{Notify, watch};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::downward::Addresses;
use super::order::{PodOrder, until_deletion};
use super::pod_status::{self, StatusInput};
use super::record::ContainerRecords;
use super::reporter::Reporter;
use super::time::earliest;
use super::volumes::{self, MountError, VolumeSetup, Volumes};
use super::{Kubelet, grace, phase, sandbox};
use crate::registry::DeleteOptions;

/// The retry delay after a failure of the node itself.
pub(super) const RETRY: Duration = Duration::from_secs(10);
/// The retry delay after the first failed mount; it doubles with each further one.
const MOUNT_RETRY_MIN: Duration = Duration::from_millis(500);
const MOUNT_RETRY_MAX: Duration = Duration::from_secs(122);
const DEADLINE: (&str, &str) = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");

/// What to do after a round.
enum NextStep {
    /// Wait until something happens or this time comes.
    Wait(Option<Instant>),
    /// Finish: the pod's containers have ended for good.
    Over,
}

/// How far the pod has come, for its status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PodProgress {
    Active,
    Stopping,
    Stopped,
}

/// One pod's worker.
pub(super) struct Worker {
    pub kubelet: Arc<Kubelet>,
    pub pod: Arc<Pod>,
    pub orders: watch::Receiver<PodOrder>,
    /// Notified when something happened to a container.
    pub wake: Arc<Notify>,
    pub reporter: Reporter,
    /// The pod's own directory on the node.
    pub directory: PathBuf,
    pub hostname: String,
    pub sandbox: Option<Sandbox>,
    pub volumes: Option<Volumes>,
    /// The number of changes that the volumes contain.
    pub shown: u64,
    pub records: ContainerRecords,
    pub backoff: Backoff,
    mount_failures: u32,
    mount_retry: Option<Instant>,
    verdict: Option<(&'static str, &'static str)>,
    /// Whether the status shows the address, from the round after the sandbox was created.
    shows_ip: bool,
    /// The containers whose end appears in this round's status.
    pub shown_ended: BTreeSet<String>,
}

impl Worker {
    pub fn new(kubelet: Arc<Kubelet>, orders: watch::Receiver<PodOrder>) -> Self {
        let pod = Arc::clone(&orders.borrow().pod);
        let reporter = Reporter::new(&kubelet.client, &pod);
        let directory = kubelet.pod_directory(&pod);
        Self {
            hostname: sandbox::spec(&pod, kubelet.name_server).hostname,
            kubelet,
            pod,
            orders,
            wake: Arc::default(),
            reporter,
            directory,
            sandbox: None,
            volumes: None,
            shown: 0,
            records: ContainerRecords::new(),
            backoff: Backoff::default(),
            mount_failures: 0,
            mount_retry: None,
            verdict: None,
            shows_ip: false,
            shown_ended: BTreeSet::new(),
        }
    }

    /// Works until the pod is gone.
    pub async fn run(mut self) {
        loop {
            let order = self.orders.borrow_and_update().clone();
            self.adopt(&order);
            if order.is_deletion() {
                return self.delete(order.removed).await;
            }
            match self.round().await {
                NextStep::Over => return self.finish().await,
                NextStep::Wait(until) => self.pause(until).await,
            }
        }
    }

    /// Takes over the pod of an order, but not its status, which belongs to the worker.
    fn adopt(&mut self, order: &PodOrder) {
        let mut pod = (*order.pod).clone();
        if self.pod.status.is_some() {
            pod.status.clone_from(&self.pod.status);
        }
        self.pod = Arc::new(pod);
    }

    async fn pause(&mut self, until: Option<Instant>) {
        let wake = Arc::clone(&self.wake);
        tokio::select! {
            _ = self.orders.changed() => {}
            () = wake.notified() => {}
            () = sleep(until) => {}
        }
    }

    /// Performs one round: writes the current status, then does what is needed.
    async fn round(&mut self) -> NextStep {
        self.shows_ip = self.sandbox.is_some();
        self.shown_ended = self.ended().cloned().collect();
        self.write_status(PodProgress::Active);
        let deadline = self.deadline();
        if deadline.is_some_and(|at| at <= Instant::now()) {
            self.reporter.normal(DEADLINE.0, DEADLINE.1);
            self.verdict = Some(DEADLINE);
        }
        if self.verdict.is_some() || self.is_over() {
            return NextStep::Over;
        }
        if let Err(retry) = self.ensure_volumes().await {
            return NextStep::Wait(earliest(Some(retry), deadline));
        }
        if self.is_to_go() {
            return NextStep::Wait(Some(Instant::now()));
        }
        if let Err(retry) = self.ensure_sandbox().await {
            return NextStep::Wait(earliest(Some(retry), deadline));
        }
        let retry = self.ensure_containers().await;
        NextStep::Wait(earliest(retry, deadline))
    }

    fn deadline(&self) -> Option<Instant> {
        let seconds = self.pod.spec.as_ref()?.active_deadline_seconds?;
        let start = self.pod.status.as_ref()?.start_time.as_ref()?;
        let ends_ms = start.0.as_millisecond() + seconds * 1000;
        let left_ms = u64::try_from(ends_ms - Utc::now().timestamp_millis()).unwrap_or(0);
        Some(Instant::now() + Duration::from_millis(left_ms))
    }

    /// Returns whether the containers have ended for good.
    fn is_over(&self) -> bool {
        let status = self.status(&self.pod, PodProgress::Active);
        let Some(spec) = self.pod.spec.as_ref() else { return false };
        let init = status.init_container_statuses.unwrap_or_default();
        let reached = phase::phase(spec, &init, &status.container_statuses.unwrap_or_default(), false);
        ["Succeeded", "Failed"].contains(&reached)
    }

    async fn ensure_volumes(&mut self) -> Result<(), Instant> {
        if self.volumes.is_some() {
            self.refresh_volumes().await;
            return Ok(());
        }
        if let Some(retry) = self.mount_retry.filter(|retry| *retry > Instant::now()) {
            return Err(retry);
        }
        self.shown = self.orders.borrow().changes;
        match self.set_up_volumes().await {
            Ok(Ok(volumes)) => {
                self.volumes = Some(volumes);
                Ok(())
            }
            Ok(Err(error)) => {
                self.reporter.warning("FailedMount", &error.to_string());
                let delay = (MOUNT_RETRY_MIN * 2_u32.pow(self.mount_failures)).min(MOUNT_RETRY_MAX);
                self.mount_failures = (self.mount_failures + 1).min(10);
                self.mount_retry = Some(Instant::now() + delay);
                Err(Instant::now() + delay)
            }
            Err(error) => {
                tracing::error!(%error, "setting up volumes failed");
                Err(Instant::now() + RETRY)
            }
        }
    }

    pub(super) async fn set_up_volumes(&self) -> Result<Result<Volumes, MountError>, JoinError> {
        let setup = VolumeSetup {
            client: self.kubelet.client.clone(),
            pod: Arc::clone(&self.pod),
            faults: self.kubelet.faults.clone(),
            directory: self.directory.join("volumes"),
            persistent: self.kubelet.directory.join("volumes"),
            addresses: self.addresses(),
            node: Arc::clone(&self.kubelet.capacity),
            disks: self.kubelet.handle.disks().clone(),
        };
        tokio::task::spawn_blocking(move || setup.run()).await
    }

    pub(super) fn addresses(&self) -> Addresses {
        Addresses { pod: self.sandbox.as_ref().map(Sandbox::ip), host: self.kubelet.host_ip }
    }

    async fn ensure_sandbox(&mut self) -> Result<(), Instant> {
        if self.sandbox.is_some() {
            return Ok(());
        }
        let spec = sandbox::spec(&self.pod, self.kubelet.name_server);
        match self.kubelet.runtime.run_sandbox(spec).await {
            Ok(sandbox) => {
                self.kubelet.handle.sandbox(&self.pod, &sandbox);
                self.sandbox = Some(sandbox);
                self.write_status(PodProgress::Active);
                self.wake.notify_one();
                Ok(())
            }
            Err(error) => {
                let message = format!("Failed to create pod sandbox: {error}");
                self.reporter.warning("FailedCreatePodSandBox", &message);
                Err(Instant::now() + RETRY)
            }
        }
    }

    /// Returns whether the pod was deleted since this round began: a program started now would be asked to stop before
    /// it can handle the signal.
    pub(super) fn is_to_go(&self) -> bool {
        self.orders.borrow().is_deletion()
    }

    /// Ends a pod that has finished by itself: removes its sandbox, writes its last status, and waits for its deletion.
    async fn finish(&mut self) {
        self.stop_all(grace::of(&self.pod)).await;
        self.write_status(PodProgress::Active);
        self.clean_up().await;
        self.write_status(PodProgress::Stopped);
        until_deletion(&mut self.orders).await;
        let order = self.orders.borrow().clone();
        self.adopt(&order);
        self.remove(order.removed);
    }

    /// Stops the containers of a deleted pod, then removes the pod from the API.
    async fn delete(&mut self, removed: bool) {
        let has_time = self.pod.metadata.deletion_grace_period_seconds.is_none_or(|grace| grace > 0);
        if !removed && has_time {
            self.write_status(PodProgress::Stopping);
        }
        self.stop_all(grace::of(&self.pod)).await;
        self.clean_up().await;
        let order = self.orders.borrow().clone();
        self.adopt(&order);
        if !order.removed {
            self.write_status(PodProgress::Stopped);
        }
        self.remove(order.removed);
    }

    async fn clean_up(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.kubelet.runtime.stop_sandbox(&sandbox).await;
            // Addresses stay in the status of a finished pod.
        }
        let directory = self.directory.join("volumes");
        self.volumes = None;
        let _ = tokio::task::spawn_blocking(move || volumes::tear_down(&directory)).await;
    }

    fn remove(&self, removed: bool) {
        if !removed {
            self.remove_from_api();
        }
        // This comes last: anybody who still finds the pod finds its logs.
        self.kubelet.handle.forget(&self.pod);
    }

    fn remove_from_api(&self) {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        if let Err(refused) = self.kubelet.client.delete(&*self.pod, &options) {
            tracing::debug!(%refused, "a stopped pod was not removed");
        }
    }

    /// Returns the pod's status, based on the one in `pod`.
    fn status(&self, pod: &Pod, stage: PodProgress) -> PodStatus {
        let stored = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok());
        let ip = self.sandbox.as_ref().filter(|_| self.shows_ip).map(Sandbox::ip);
        pod_status::status(&StatusInput {
            pod,
            records: &self.records,
            ip: ip.or(stored),
            host_ip: self.kubelet.host_ip,
            has_sandbox: self.sandbox.is_some(),
            stopping: stage != PodProgress::Active,
            stopped: stage == PodProgress::Stopped,
            verdict: self.verdict,
        })
    }

    /// Writes the status if it differs from the stored one.
    fn write_status(&mut self, stage: PodProgress) {
        self.kubelet.handle.publish(&self.pod, &self.records);
        let mut pod = (*self.pod).clone();
        let written = self.kubelet.client.modify_status(&*self.pod, |stored: &mut Pod| {
            // Conditions and times are carried over from the stored status.
            pod.status = stored.status.take();
            let status = self.status(&pod, stage);
            let changed = pod.status.as_ref() != Some(&status);
            pod.status = Some(status.clone());
            stored.status = Some(status);
            changed
        });
        if let Err(refused) = written {
            tracing::debug!(%refused, "a pod's status was not written");
        }
        self.pod = Arc::new(pod);
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
