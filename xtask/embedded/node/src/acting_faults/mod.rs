//! Planted faults that act without being asked: they use the cluster as anybody would, and no layer knows of them.

mod additions;
mod unready;

use std::sync::Arc;

pub use self::unready::Unready;
use crate::controllers::{Context, reconcile};

/// Runs them until the store is gone.
pub async fn run(context: Arc<Context>, unready: Unready) {
    tokio::join!(unready.recover(), reconcile::run(context, &additions::CONTROLLER));
}
