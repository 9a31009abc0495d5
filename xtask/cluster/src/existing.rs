//! A cluster that was there before: opted in to by name, used through a copy of its entry in the kubeconfig, and
//! only the run's own namespaces are deleted.

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

/// What an existing cluster is used with.
pub struct Options {
    /// The context's name in the user's kubeconfig.
    pub name: String,
    /// Where that is, if not where kubectl looks.
    pub kubeconfig: Option<PathBuf>,
    /// Names the namespaces.
    pub run_id: String,
    /// Where the copy goes.
    pub run_dir: PathBuf,
    /// What reaches its nodes.
    pub node_access: NodeAccess,
    /// Whose it is, where an earlier run of ours kept it.
    pub kept_by: Option<String>,
}

/// An existing cluster.
pub struct Existing {
    launcher: Launcher,
    options: Options,
    lease: Arc<Lease>,
    /// Renews the lease that the namespaces carry.
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Existing {
    /// Copies the context's entry for the run; nothing is asked of the cluster.
    ///
    /// # Errors
    /// Where the user's kubeconfig can't be read or has no such context.
    pub(super) fn new(launcher: Launcher, options: Options, lease: Arc<Lease>) -> anyhow::Result<Self> {
        let existing = Self { launcher, options, lease, renewal: Mutex::default() };
        let Options { name, kubeconfig, .. } = &existing.options;
        kubeconfig::copy(name, kubeconfig.as_ref(), &existing.access().kubeconfig)?;
        Ok(existing)
    }

    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    /// What reaches its nodes.
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

    /// Whether its nodes have to pull what they lack.
    pub(super) fn pulls(&self) -> bool {
        matches!(self.options.node_access, NodeAccess::None)
    }

    /// Whether it is an embedded cluster.
    pub(super) fn is_embedded(&self) -> bool {
        matches!(self.options.node_access, NodeAccess::Embedded(_))
    }

    pub(super) fn describe(&self) -> String {
        let Options { name, kept_by, .. } = &self.options;
        let which = kept_by.as_ref().map_or_else(String::new, |run| format!(", which run {run} kept"));
        format!("the existing cluster of context {name}{which}, in namespaces of the run's own")
    }

    /// Asks whether it answers, and deletes what runs that are gone left on it.
    pub(super) async fn create(&self) -> anyhow::Result<Access> {
        let access = self.access();
        let client = client(&access.kubeconfig, &access.context).await?;
        call("asking the cluster for its version", client.apiserver_version()).await?;
        for line in namespaces::sweep(&client, false).await? {
            self.launcher.note(line);
        }
        self.lease.hold(self.resource())?;
        let renewal = tokio::spawn(renew(client, self.options.run_id.clone(), self.launcher.clone()));
        *self.renewal() = Some(AbortOnDropHandle::new(renewal));
        Ok(access)
    }

    /// What has to be known about results on it.
    pub(super) async fn remarks(&self) -> anyhow::Result<Vec<String>> {
        match &self.options.node_access {
            NodeAccess::Embedded(cluster) => embedded::remarks(cluster).await,
            NodeAccess::None | NodeAccess::Kind(..) => Ok(vec![]),
        }
    }

    /// Loads images where something can.
    pub(super) async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        self.options.node_access.load(&self.launcher, &self.options.name, archives).await
    }

    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        let Access { kubeconfig, context } = self.access();
        if !self.lease.holds(&self.resource()) {
            // It did not answer: nothing was made on it.
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

/// Renews the lease of the run's namespaces: others who share the cluster see nothing else of the run.
async fn renew(client: kube::Client, run_id: String, launcher: Launcher) {
    let mut beat = tokio::time::interval(RENEWED_EVERY);
    loop {
        beat.tick().await;
        if let Err(error) = namespaces::annotate(&client, &run_id, false).await {
            launcher.note(format!("the lease of the run's namespaces can't be renewed: {error:#}"));
        }
    }
}

/// Whether a context is one of kind's, which take image archives; not one of our own runs'.
pub(super) fn is_kinds(context: &str) -> bool {
    context.strip_prefix("kind-").is_some_and(|name| !name.starts_with(PREFIX))
}
