//! A cluster that was there before: opted in to by name, used through a copy of its entry in the kubeconfig, and
//! only the run's own namespaces are deleted.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use kube::config::Kubeconfig;
use tokio_util::task::AbortOnDropHandle;

use super::embedded;
use super::kind::PREFIX;
use super::lease::{Lease, RENEWED_EVERY, Resource};
use super::namespaces::{self, RUN_LABEL};
use super::{Access, Loaded};
use images::Archive;
use kubernetes::{call, client};
use process::Launcher;
use tools::{Docker, Tool};

/// One archive into the nodes of kind's.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);

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
    /// What takes image archives.
    pub loader: Loader,
    /// Whose it is, where an earlier run of ours kept it.
    pub kept_by: Option<String>,
}

/// What loads image archives into the nodes of a cluster that was there before.
pub enum Loader {
    /// Nothing: they have to pull.
    Nothing,
    /// kind, whose cluster it is.
    Kind(Tool, Docker),
    /// The embedded cluster itself.
    Embedded(::embedded::cluster::Cluster),
}

/// An existing cluster.
pub struct Context {
    launcher: Launcher,
    options: Options,
    lease: Arc<Lease>,
    /// Renews the lease that the namespaces carry.
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Context {
    /// Copies the context's entry for the run; nothing is asked of the cluster.
    ///
    /// # Errors
    /// Where the user's kubeconfig can't be read or has no such context.
    pub(super) fn new(launcher: Launcher, options: Options, lease: Arc<Lease>) -> anyhow::Result<Self> {
        let whole = match &options.kubeconfig {
            Some(path) => Kubeconfig::read_from(path).with_context(|| path.display().to_string())?,
            None => Kubeconfig::read().context("reading the kubeconfig")?,
        };
        let context = Self { launcher, options, lease, renewal: Mutex::default() };
        write_private(&context.access().kubeconfig, &only(whole, &context.options.name)?)?;
        Ok(context)
    }

    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    /// What reaches its nodes.
    pub(super) fn loader(&self) -> &Loader {
        &self.options.loader
    }

    pub(super) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn docker(&self) -> Option<&Docker> {
        match &self.options.loader {
            Loader::Kind(_, docker) => Some(docker),
            Loader::Nothing | Loader::Embedded(_) => None,
        }
    }

    /// Whether its nodes have to pull what they lack.
    pub(super) fn pulls(&self) -> bool {
        matches!(self.options.loader, Loader::Nothing)
    }

    /// Whether it is an embedded cluster.
    pub(super) fn is_embedded(&self) -> bool {
        matches!(self.options.loader, Loader::Embedded(_))
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
        match &self.options.loader {
            Loader::Embedded(cluster) => embedded::remarks(cluster).await,
            Loader::Nothing | Loader::Kind(..) => Ok(vec![]),
        }
    }

    /// Loads images where something can.
    pub(super) async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        match &self.options.loader {
            Loader::Nothing => Ok(Loaded::HaveToBePulled(format!(
                "nothing can load images into the nodes of context {}: they have to be able to pull them",
                self.options.name
            ))),
            Loader::Embedded(cluster) => embedded::load(cluster, archives).await,
            Loader::Kind(kind, _) => {
                let name = self.options.name.trim_start_matches("kind-");
                for archive in archives {
                    let cmd = self.launcher.cmd(&kind.path).args(["load", "image-archive"]).arg(&archive.path);
                    cmd.args(["--name", name]).timeout(LOAD_TIMEOUT).run().await?;
                }
                Ok(Loaded::on_nodes(archives))
            }
        }
    }

    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        let Access { kubeconfig, context } = self.access();
        if !self.lease.holds(&self.resource()) {
            // It did not answer: nothing was made on it.
            return forget(&kubeconfig);
        }
        drop(self.renewal().take());
        namespaces::delete_of_run(&client(&kubeconfig, &context).await?, &self.options.run_id).await?;
        self.lease.release(&self.resource())?;
        forget(&kubeconfig)
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

/// Removes the copy of a kubeconfig: the user's own credentials do not stay among the evidence.
pub(super) fn forget(kubeconfig: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(kubeconfig) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", kubeconfig.display()))
        }
        _ => Ok(()),
    }
}

/// A kubeconfig with nothing but one context, its cluster and its user.
fn only(mut whole: Kubeconfig, name: &str) -> anyhow::Result<Kubeconfig> {
    let names = whole.contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>().join(", ");
    whole.contexts.retain(|context| context.name == name);
    let entry = whole.contexts.first().and_then(|context| context.context.clone());
    let entry = entry.with_context(|| format!("the kubeconfig has no context {name}; it has: {names}"))?;
    whole.clusters.retain(|cluster| cluster.name == entry.cluster);
    whole.auth_infos.retain(|user| Some(&user.name) == entry.user.as_ref());
    whole.current_context = Some(name.to_owned());
    whole.preferences = None;
    whole.extensions = None;
    Ok(whole)
}

/// Writes a kubeconfig that only its owner can read. JSON is YAML, too.
fn write_private(path: &Path, kubeconfig: &Kubeconfig) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&serde_json::to_vec_pretty(kubeconfig)?)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
