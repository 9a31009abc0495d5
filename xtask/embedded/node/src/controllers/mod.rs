//! What kube-controller-manager, kube-scheduler and the volume provisioner do, each in a file.
//!
//! A controller is a row of `CONTROLLERS`: a function from a change to the keys that it concerns,
//! and one that brings a key in order from what is stored now. Nothing is kept between two calls
//! but the store.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::client::Client;
use crate::faults::Planted;

pub(crate) mod accounts;
pub mod bootstrap;
pub(crate) mod clock;
mod default_roles;
pub(crate) mod deployment;
pub(crate) mod disruption;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod garbage;
pub(crate) mod hash;
pub(crate) mod job;
pub(crate) mod namespaces;
pub(crate) mod owners;
pub(crate) mod percent;
pub(crate) mod pods;
pub(crate) mod quota;
pub(crate) mod reconcile;
pub(crate) mod replica_set;
pub(crate) mod revisions;
pub(crate) mod scheduler;
pub(crate) mod stateful_set;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod volumes;

pub(crate) use reconcile::{Controller, Key, Outcome};

/// Who writes what controllers write, as `managedFields` names it.
pub(crate) const MANAGER: &str = "kube-controller-manager";

/// The name of the only node.
pub(crate) const NODE: &str = "chartproof-control-plane";

/// What controllers work with.
pub(crate) struct Context {
    /// The objects.
    pub client: Client,
    /// Faults planted on purpose.
    pub faults: Planted,
    /// Where volumes are provisioned: one directory for each, named as its volume.
    pub volumes: PathBuf,
    /// The certificate (PEM) that the API server's own is signed with; pods get it.
    pub root_certificate: String,
}

/// Every controller.
static CONTROLLERS: &[Controller] = &[
    scheduler::CONTROLLER,
    endpoints::CONTROLLER,
    stateful_set::CONTROLLER,
    volumes::BINDER,
    volumes::PROTECTION,
    volumes::RECLAIMER,
    namespaces::CONTROLLER,
    accounts::CONTROLLER,
    accounts::CERTIFICATES,
    garbage::CONTROLLER,
    disruption::CONTROLLER,
    deployment::CONTROLLER,
    replica_set::CONTROLLER,
    job::CONTROLLER,
    quota::CONTROLLER,
];

/// Runs all controllers until the future is dropped.
pub(crate) async fn run_all(context: Arc<Context>) {
    let mut tasks = JoinSet::new();
    for controller in CONTROLLERS {
        tasks.spawn(reconcile::run(Arc::clone(&context), controller));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller ended");
        }
    }
}
