//! The containers in one round of a worker: which are started, killed or restarted, and when to retry.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use k8s_openapi::api::core::v1::Container;
use tokio::time::Instant;

use super::record::{self, ContainerRecord, ContainerRole, WaitingReason, is_sidecar};
use super::time::earliest;
use super::worker::{RETRY, Worker};
use super::{grace, pod_status, security, time};

impl Worker {
    /// Returns the containers whose last run has ended.
    pub(super) fn ended(&self) -> impl Iterator<Item = &String> {
        self.records.iter().filter(|(_, record)| record.ended().is_some()).map(|(name, _)| name)
    }

    /// Returns whether a container ended after this round's status was written: the next round has to show that first.
    fn has_just_ended(&self, container: &Container) -> bool {
        let is_over = self.ended().any(|name| *name == container.name);
        is_over && !self.shown_ended.contains(&container.name)
    }

    /// Starts and restarts containers as needed; returns when to retry, if at all.
    pub(super) async fn ensure_containers(&mut self) -> Option<Instant> {
        let pod = Arc::clone(&self.pod);
        let spec = pod.spec.as_ref()?;
        let mut retry = None;
        // As in kubelet, these do not wait for the init containers.
        for container in &record::ephemeral(spec) {
            retry = earliest(retry, self.ensure(container, ContainerRole::Ephemeral).await);
        }
        for container in spec.init_containers.iter().flatten() {
            if self.is_to_go() || self.has_just_ended(container) {
                return Some(Instant::now());
            }
            retry = earliest(retry, self.ensure(container, ContainerRole::Init).await);
            if !self.is_initialized(container) {
                return retry;
            }
        }
        for container in &spec.containers {
            if self.is_to_go() || self.has_just_ended(container) {
                return Some(Instant::now());
            }
            retry = earliest(retry, self.ensure(container, ContainerRole::Main).await);
        }
        retry
    }

    /// Returns whether the containers after this init container may start.
    fn is_initialized(&self, container: &Container) -> bool {
        let record = self.records.get(&container.name);
        if is_sidecar(container) {
            let run = record.and_then(|record| record.current.as_ref());
            return run.is_some_and(|run| run.running().is_some() && run.health.borrow().started);
        }
        record.and_then(ContainerRecord::ended).is_some_and(|ended| ended.state.exit_code == 0)
    }

    async fn ensure(&mut self, container: &Container, role: ContainerRole) -> Option<Instant> {
        // Kubelet backs off from the end that it knew before it killed the container itself.
        let known_end = self.records.get(&container.name).and_then(|record| match record.ended() {
            Some(ended) => Some(ended.finished_at),
            None => record.previous.as_ref().map(|ended| ended.finished_at),
        });
        self.kill_if_condemned(container, role).await;
        if self.is_to_go() {
            return Some(Instant::now());
        }
        let pod = Arc::clone(&self.pod);
        let policy = pod_status::policy(pod.spec.as_ref()?, container, role);
        let wants_start = self.records.entry(container.name.clone()).or_default().wants_start(policy);
        if !wants_start {
            return None;
        }
        if let Some(end) = known_end {
            if let Some((delay, until)) = self.backoff.until(&container.name, end, Utc::now()) {
                return Some(self.back_off(container, role, delay, until));
            }
            self.backoff.next(&container.name, end, Utc::now());
        }
        match self.start(container, role).await {
            Ok(()) => None,
            Err(refusal) => {
                self.records.entry(container.name.clone()).or_default().refusal = Some(refusal);
                Some(Instant::now() + RETRY)
            }
        }
    }

    async fn kill_if_condemned(&mut self, container: &Container, role: ContainerRole) {
        let run = self.records.get(&container.name).and_then(|record| record.current.as_ref());
        let Some(health) = run.filter(|run| run.running().is_some()).map(|run| *run.health.borrow()) else { return };
        let Some(probe) = health.failed else { return };
        let message = format!("Container {} failed {probe} probe, will be restarted", container.name);
        self.reporter.of(&container.name, role).normal("Killing", &message);
        let grace = health.grace_s.map_or_else(|| grace::of(&self.pod), |own| time::seconds(Some(own), 30));
        self.stop_container(container, grace, Some(self.orders.clone())).await;
    }

    fn back_off(
        &mut self,
        container: &Container,
        role: ContainerRole,
        delay: Duration,
        until: chrono::DateTime<Utc>,
    ) -> Instant {
        let (name, pod) = (&container.name, security::full_name(&self.pod));
        let message = format!("Back-off restarting failed container {name} in pod {pod}");
        self.reporter.of(name, role).warning("BackOff", &message);
        let delay = short(delay);
        let message = format!("back-off {delay} restarting failed container={name} pod={pod}");
        let record = self.records.entry(name.clone()).or_default();
        record.refusal = Some(WaitingReason::new("CrashLoopBackOff", message));
        Instant::now() + time::until(until)
    }
}

/// Formats a delay as Go prints it: `10s`, `2m40s`, `5m0s`.
fn short(delay: Duration) -> String {
    let (minutes, seconds) = (delay.as_secs() / 60, delay.as_secs() % 60);
    if minutes == 0 { format!("{seconds}s") } else { format!("{minutes}m{seconds}s") }
}
