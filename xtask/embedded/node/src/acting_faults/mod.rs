//! Planted faults that act on their own: they use the cluster like any client, and no layer knows about them.

mod additions;
mod unready;

use std::sync::Arc;

pub use self::unready::Unready;
use crate::controllers::{ControllerContext, reconcile};

/// Runs them until the store is dropped.
pub async fn run(context: Arc<ControllerContext>, unready: Unready) {
    tokio::join!(unready.recover(), reconcile::run(context, &additions::CONTROLLER));
}
