//! Stops containers: the hook, SIGTERM or the image's stop signal, the grace period, SIGKILL.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Container;
use nix::libc::SIGKILL;
use tokio::sync::watch;
use tokio::time::Instant;

use super::grace::Deadline;
use super::hooks;
use super::order::PodOrder;
use super::record::{self, ContainerRole, is_sidecar};
use super::worker::Worker;

/// The time left for a program to end if its hook used up the grace period.
const GRACE_AFTER_HOOK: Duration = Duration::from_secs(2);

impl Worker {
    /// Stops one container within its grace period; it has ended when this returns. With `orders`, a deletion that
    /// shortens the grace period takes effect.
    pub(super) async fn stop_container(
        &self,
        container: &Container,
        grace: Duration,
        orders: Option<watch::Receiver<PodOrder>>,
    ) {
        let Some(run) = self.records.get(&container.name).and_then(|record| record.current.as_ref()) else { return };
        let Some(running) = run.running().cloned() else { return };
        let mut deadline = Deadline { at: Instant::now() + grace, orders };
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        if let (Some(hook), Some(sandbox)) = (hook, &self.sandbox) {
            let ran = deadline.bound(hooks::run(hook, container, &running, sandbox.ip())).await;
            if let Some(Err(why)) = &ran {
                let reporter = self.reporter.of(&container.name, ContainerRole::Main);
                reporter.warning("FailedPreStopHook", "PreStopHook failed");
                tracing::info!(container = container.name, why, "a preStop hook failed");
            }
            deadline.at = deadline.at.max(Instant::now() + GRACE_AFTER_HOOK);
        }
        running.signal(running.stop_signal());
        if deadline.bound(running.wait()).await.is_none() {
            running.signal(SIGKILL);
            running.wait().await;
        }
        // The runtime has seen the end; the record follows at once.
        run.ended.wait().await;
    }

    /// Stops all containers of the pod: first the main ones, together, then the sidecars, in reverse order.
    pub(super) async fn stop_all(&self, grace: Duration) {
        let Some(spec) = self.pod.spec.as_ref() else { return };
        let init = || spec.init_containers.iter().flatten();
        let (sidecars, one_time): (Vec<_>, Vec<_>) = init().partition(|container| is_sidecar(container));
        let added = record::ephemeral(spec);
        let first = spec.containers.iter().chain(one_time).chain(&added);
        let runs = |container: &&Container| self.records.get(&container.name).is_some_and(|r| r.running().is_some());
        for container in first.clone().chain(sidecars.iter().copied()).filter(runs) {
            let is_one_of = |all: &[Container]| all.iter().any(|other| other.name == container.name);
            let role = match () {
                () if is_one_of(&added) => ContainerRole::Ephemeral,
                () if is_one_of(&spec.containers) => ContainerRole::Main,
                () => ContainerRole::Init,
            };
            let message = format!("Stopping container {}", container.name);
            self.reporter.of(&container.name, role).normal("Killing", &message);
        }
        let ends = Instant::now() + grace;
        let stop = |container| self.stop_container(container, ends - Instant::now(), Some(self.orders.clone()));
        join_all(first.map(stop)).await;
        for sidecar in sidecars.into_iter().rev() {
            stop(sidecar).await;
        }
    }
}
