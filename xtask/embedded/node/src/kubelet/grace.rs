//! How long a pod may take to stop.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::order::PodOrder;
use super::time;

/// The minimum grace period.
const GRACE_MIN: Duration = Duration::from_secs(1);

/// Returns how long a pod may take to stop: the grace period of its deletion, or else its own.
pub(super) fn of(pod: &Pod) -> Duration {
    let own = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    // A pod deleted with grace 0 disappears from the API at once; its containers still have their own grace period.
    let requested = pod.metadata.deletion_grace_period_seconds.filter(|grace| *grace > 0);
    time::seconds(requested.or(own), 30).max(GRACE_MIN)
}

/// A deadline that a later order may move closer.
pub(super) struct Deadline {
    pub at: Instant,
    pub orders: Option<watch::Receiver<PodOrder>>,
}

impl Deadline {
    /// Returns the future's result, or `None` if the deadline came first.
    pub async fn bound<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
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
            self.at = self.at.min(Instant::now() + of(pod));
        }
    }
}

async fn changed(orders: &mut Option<watch::Receiver<PodOrder>>) {
    let is_open = match orders {
        Some(orders) => orders.changed().await.is_ok(),
        None => false,
    };
    if !is_open {
        *orders = None;
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    fn of(own: Option<i64>, deletion: Option<i64>) -> u64 {
        let pod = json!({"metadata": {"deletionGracePeriodSeconds": deletion},
            "spec": {"containers": [], "terminationGracePeriodSeconds": own}});
        super::of(&serde_json::from_value(pod).unwrap()).as_secs()
    }

    #[test]
    fn the_grace_period_is_the_deletions_or_the_pods_own() {
        assert_eq!(of(None, None), 30);
        assert_eq!(of(Some(5), None), 5);
        assert_eq!(of(Some(30), Some(2)), 2);
        assert_eq!(of(Some(2), Some(0)), 2, "deleted by force");
        assert_eq!(of(Some(0), None), 1);
    }
}
