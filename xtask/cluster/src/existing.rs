//! An existing cluster: opted in to by name, used through a copy of its kubeconfig entry. Only the run's own namespaces
//! are deleted, and what its releases created outside of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::AbortOnDropHandle;

use super::embedded;
use super::kind::PREFIX;
use super::kubeconfig;
use super::lease::{Lease, RENEWED_EVERY, Resource};
use super::namespaces::{self, RUN_LABEL};
use super::node_access::NodeAccess;
use super::{Access, Loaded};
use images::Archive;
use kubernetes::{call, client};
use process::Launcher;
use tools::Docker;

/// The options for an existing cluster.
pub struct Options {
    /// The name of the context in the user's kubeconfig.
    pub name: String,
    /// The user's kubeconfig, if not kubectl's default.
    pub kubeconfig: Option<PathBuf>,
    /// The run's ID, part of the namespaces' names.
    pub run_id: String,
    /// The folder for the copy of the kubeconfig.
    pub run_dir: PathBuf,
    /// How its nodes can be reached.
    pub node_access: NodeAccess,
    /// The earlier run that kept it, if any.
    pub kept_by: Option<String>,
}

/// An existing cluster.
pub struct Existing {
    launcher: Launcher,
    options: Options,
    lease: Arc<Lease>,
    /// Renews the lease in the namespaces' annotations.
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Existing {
    /// Copies the context's entry for the run, without a request to the cluster.
    ///
    /// # Errors
    /// If the user's kubeconfig can't be read or has no such context.
    pub(super) fn new(launcher: Launcher, options: Options, lease: Arc<Lease>) -> anyhow::Result<Self> {
        let existing = Self { launcher, options, lease, renewal: Mutex::default() };
        let Options { name, kubeconfig, .. } = &existing.options;
        kubeconfig::copy(name, kubeconfig.as_ref(), &existing.access().kubeconfig)?;
        Ok(existing)
    }

    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    /// How its nodes can be reached.
    pub(super) fn node_access(&self) -> &NodeAccess {
        &self.options.node_access
    }

    pub(super) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn docker(&self) -> Option<&Docker> {
        self.options.node_access.docker()
    }

    /// Returns whether its nodes have to pull missing images.
    pub(super) fn pulls(&self) -> bool {
        matches!(self.options.node_access, NodeAccess::None)
    }

    /// Returns whether it is an embedded cluster.
    pub(super) fn is_embedded(&self) -> bool {
        matches!(self.options.node_access, NodeAccess::Embedded(_))
    }

    /// Returns whether an earlier run created and kept it.
    pub(super) fn is_kept(&self) -> bool {
        self.options.kept_by.is_some()
    }

    pub(super) fn describe(&self) -> String {
        let Options { name, kept_by, .. } = &self.options;
        let which = kept_by.as_ref().map_or_else(String::new, |run| format!(", kept by run {run}"));
        format!("the existing cluster of context {name}{which}, in the run's own namespaces")
    }

    /// Checks that it responds, and deletes what dead runs left on it.
    pub(super) async fn create(&self) -> anyhow::Result<Access> {
        let access = self.access();
        let client = client(&access.kubeconfig, &access.context).await?;
        call("getting the cluster's version", client.apiserver_version()).await?;
        for line in namespaces::sweep(&client, false).await? {
            self.launcher.note(line);
        }
        self.lease.hold(self.resource())?;
        let renewal = tokio::spawn(renew(client, self.options.run_id.clone(), self.launcher.clone()));
        *self.renewal() = Some(AbortOnDropHandle::new(renewal));
        Ok(access)
    }

    /// Returns what limits the significance of results on it.
    pub(super) async fn remarks(&self) -> anyhow::Result<Vec<String>> {
        match &self.options.node_access {
            NodeAccess::Embedded(cluster) => embedded::remarks(cluster).await,
            NodeAccess::None | NodeAccess::Kind(..) => Ok(vec![]),
        }
    }

    /// Loads images if its nodes can be reached.
    pub(super) async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        self.options.node_access.load(&self.launcher, &self.options.name, archives).await
    }

    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        let Access { kubeconfig, context } = self.access();
        if !self.lease.holds(&self.resource()) {
            // It did not respond, so nothing was created on it.
            return kubeconfig::forget(&kubeconfig);
        }
        drop(self.renewal().take());
        namespaces::delete_of_run(&client(&kubeconfig, &context).await?, &self.options.run_id).await?;
        self.lease.release(&self.resource())?;
        kubeconfig::forget(&kubeconfig)
    }

    pub(super) async fn keep(&self) -> anyhow::Result<String> {
        drop(self.renewal().take());
        self.lease.keep()?;
        let Access { kubeconfig, context } = self.access();
        let run = &self.options.run_id;
        namespaces::annotate(&client(&kubeconfig, &context).await?, run, true).await?;
        let kubeconfig = kubeconfig.display();
        Ok(format!(
            "kept: kubectl --kubeconfig {kubeconfig} --context {context} get namespaces --selector {RUN_LABEL}={run}"
        ))
    }

    fn renewal(&self) -> MutexGuard<'_, Option<AbortOnDropHandle<()>>> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn access(&self) -> Access {
        Access { kubeconfig: self.options.run_dir.join("kubeconfig"), context: self.options.name.clone() }
    }

    fn resource(&self) -> Resource {
        let Access { kubeconfig, context } = self.access();
        Resource::Namespaces { kubeconfig, context }
    }
}

/// Renews the lease of the run's namespaces, the only sign of the run that other users of the cluster can see.
async fn renew(client: kube::Client, run_id: String, launcher: Launcher) {
    let mut beat = tokio::time::interval(RENEWED_EVERY);
    loop {
        beat.tick().await;
        if let Err(error) = namespaces::annotate(&client, &run_id, false).await {
            launcher.note(format!("the lease of the run's namespaces could not be renewed: {error:#}"));
        }
    }
}

/// Returns whether a context belongs to a kind cluster, which accepts image archives, but not to a cluster of a run.
pub(super) fn is_kinds(context: &str) -> bool {
    context.strip_prefix("kind-").is_some_and(|name| !name.starts_with(PREFIX))
}
