//! Stopping containers: the hook, SIGTERM or what the image names, the grace, SIGKILL.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, Pod};
use nix::libc::SIGKILL;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::record::is_sidecar;
use super::worker::{Order, Worker};
use super::{hooks, time};

/// What is left for a program to end after its hook took the whole grace.
const GRACE_AFTER_HOOK: Duration = Duration::from_secs(2);
/// However short the grace: so much is given.
const GRACE_MIN: Duration = Duration::from_secs(1);

impl Worker {
    /// Stops one container within its grace; it has ended when this returns. With `orders`, a
    /// deletion that comes to shorten the grace is heard.
    pub(super) async fn stop_container(
        &self,
        container: &Container,
        grace: Duration,
        orders: Option<watch::Receiver<Order>>,
    ) {
        let Some(run) = self.records.get(&container.name).and_then(|record| record.current.as_ref()) else { return };
        let Some(running) = run.running().cloned() else { return };
        let mut deadline = Deadline { at: Instant::now() + grace, orders };
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        if let (Some(hook), Some(sandbox)) = (hook, &self.sandbox) {
            let ran = deadline.bound(hooks::run(hook, container, &running, sandbox.ip())).await;
            if let Some(Err(why)) = &ran {
                let reporter = self.reporter.of(&container.name, false);
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
        // The runtime knows; the record follows at once.
        run.ended.wait().await;
    }

    /// Stops all containers of the pod: the main ones first and together, then the sidecars, the
    /// last one first.
    pub(super) async fn stop_all(&self, grace: Duration) {
        let Some(spec) = self.pod.spec.as_ref() else { return };
        let init = || spec.init_containers.iter().flatten();
        let (sidecars, one_time): (Vec<_>, Vec<_>) = init().partition(|container| is_sidecar(container));
        let first = spec.containers.iter().chain(one_time);
        let runs = |container: &&Container| self.records.get(&container.name).is_some_and(|r| r.running().is_some());
        for container in first.clone().chain(sidecars.iter().copied()).filter(runs) {
            let is_init = init().any(|other| other.name == container.name);
            let message = format!("Stopping container {}", container.name);
            self.reporter.of(&container.name, is_init).normal("Killing", &message);
        }
        let ends = Instant::now() + grace;
        let stop = |container| self.stop_container(container, ends - Instant::now(), Some(self.orders.clone()));
        join_all(first.map(stop)).await;
        for sidecar in sidecars.into_iter().rev() {
            stop(sidecar).await;
        }
    }
}

/// How long a pod may take to stop: what its deletion says, else what it says itself.
pub(super) fn grace(pod: &Pod) -> Duration {
    let own = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    // A pod deleted with grace 0 is gone from the API at once; its containers still have their own.
    let asked = pod.metadata.deletion_grace_period_seconds.filter(|grace| *grace > 0);
    time::seconds(asked.or(own), 30).max(GRACE_MIN)
}

/// A point in time that a later order may bring nearer.
struct Deadline {
    at: Instant,
    orders: Option<watch::Receiver<Order>>,
}

impl Deadline {
    /// The future's answer; none where the deadline came first.
    async fn bound<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                answer = &mut future => return Some(answer),
                () = sleep_until(self.at) => return None,
                () = changed(&mut self.orders) => self.shorten(),
            }
        }
    }

    fn shorten(&mut self) {
        let order = self.orders.as_ref().map(|orders| orders.borrow().clone());
        let pod = order.as_ref().filter(|order| !order.removed).map(|order| &order.pod);
        if let Some(pod) = pod.filter(|pod| pod.metadata.deletion_timestamp.is_some()) {
            self.at = self.at.min(Instant::now() + grace(pod));
        }
    }
}

async fn changed(orders: &mut Option<watch::Receiver<Order>>) {
    let heard = match orders {
        Some(orders) => orders.changed().await.is_ok(),
        None => false,
    };
    if !heard {
        *orders = None;
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(own: Option<i64>, deletion: Option<i64>) -> u64 {
        let pod = json!({"metadata": {"deletionGracePeriodSeconds": deletion},
            "spec": {"containers": [], "terminationGracePeriodSeconds": own}});
        grace(&serde_json::from_value(pod).unwrap()).as_secs()
    }

    #[test]
    fn the_grace_is_the_deletions_or_the_pods_own() {
        assert_eq!(of(None, None), 30);
        assert_eq!(of(Some(5), None), 5);
        assert_eq!(of(Some(30), Some(2)), 2);
        assert_eq!(of(Some(2), Some(0)), 2, "deleted by force");
        assert_eq!(of(Some(0), None), 1);
    }
}
