//! The orders for a pod's worker.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use tokio::sync::watch;

/// The current order for a pod's worker.
#[derive(Clone)]
pub(super) struct PodOrder {
    pub pod: Arc<Pod>,
    /// Whether the pod is no longer in the API.
    pub removed: bool,
    /// How often the source of one of its volumes has changed.
    pub changes: u64,
}

impl PodOrder {
    /// Returns whether the pod is to be stopped.
    pub fn is_deletion(&self) -> bool {
        self.removed || self.pod.metadata.deletion_timestamp.is_some()
    }
}

/// Waits until the pod is to be stopped.
pub(super) async fn until_deletion(orders: &mut watch::Receiver<PodOrder>) {
    if orders.wait_for(PodOrder::is_deletion).await.is_err() {
        std::future::pending::<()>().await;
    }
}
