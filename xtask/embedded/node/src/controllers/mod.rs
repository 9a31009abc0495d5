//! The work of kube-controller-manager, kube-scheduler and the volume provisioner, one file for each controller.
//!
//! A controller is a row of `CONTROLLERS`: a function from a change to the affected keys, and one that reconciles a key
//! with what is stored now. The store is the only state that is kept between two calls.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::client::Client;
use crate::faults::PlantedFaults;

pub(crate) mod accounts;
pub(crate) mod api_services;
pub mod bootstrap;
pub(crate) mod clock;
mod daemon_set;
mod default_roles;
pub(crate) mod definitions;
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
mod role_aggregation;
pub(crate) mod scheduler;
pub(crate) mod stateful_set;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod volumes;

pub(crate) use reconcile::{Controller, Key, ReconcileResult};

/// The writer of the controllers' changes, as in `managedFields`.
pub(crate) const MANAGER: &str = "kube-controller-manager";

/// The name of the only node.
pub(crate) const NODE: &str = "chartproof-control-plane";

/// What controllers work with.
pub(crate) struct ControllerContext {
    /// The objects.
    pub client: Client,
    /// Planted faults.
    pub faults: PlantedFaults,
    /// The parent of the provisioned volumes' directories, which are named after their volumes.
    pub volumes: PathBuf,
    /// The certificate (PEM) that signed the API's own; pods get it.
    pub root_certificate: String,
}

/// Every controller.
static CONTROLLERS: &[Controller] = &[
    scheduler::CONTROLLER,
    endpoints::CONTROLLER,
    stateful_set::CONTROLLER,
    daemon_set::CONTROLLER,
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
    role_aggregation::CONTROLLER,
    definitions::CONTROLLER,
    api_services::CONTROLLER,
];

/// The controllers that are a part of the API server rather than of kube-controller-manager.
static OF_API: &[Controller] = &[definitions::CONTROLLER, api_services::CONTROLLER];

/// Runs all controllers until the future is dropped.
pub(crate) async fn run_all(context: Arc<ControllerContext>) {
    run(context, CONTROLLERS).await;
}

/// Runs only the controllers without which an API server serves no custom resources.
pub async fn run_of_api(client: Client) {
    let (volumes, root_certificate) = (PathBuf::new(), String::new());
    let context = ControllerContext { client, faults: PlantedFaults::default(), volumes, root_certificate };
    run(Arc::new(context), OF_API).await;
}

async fn run(context: Arc<ControllerContext>, controllers: &'static [Controller]) {
    let mut tasks = JoinSet::new();
    for controller in controllers {
        tasks.spawn(reconcile::run(Arc::clone(&context), controller));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller ended");
        }
    }
}
