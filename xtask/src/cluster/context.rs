//! A cluster that was there before: opted in to by name, used through a copy of its entry in the kubeconfig, and
//! only the run's own namespaces are deleted.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use kube::config::Kubeconfig;

use super::kind::PREFIX;
use super::lease::{Lease, Resource};
use super::{Access, Loaded};
use crate::images::Archive;
use crate::kubernetes::{call, client};
use crate::process::Launcher;
use crate::tools::{Docker, Tool};

/// Label of every namespace of ours; its value is the run's id.
pub const RUN_LABEL: &str = "chartproof/run";
/// How long the deletion of a namespace may take: its pods have to end first.
const DELETE_TIMEOUT: Duration = Duration::from_secs(180);

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
    /// For a cluster that is one of kind's, what loads images into it.
    pub kind: Option<(Tool, Docker)>,
}

/// An existing cluster.
pub struct Context {
    launcher: Launcher,
    options: Options,
    lease: Arc<Lease>,
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
        let context = Self { launcher, options, lease };
        write_private(&context.access().kubeconfig, &only(whole, &context.options.name)?)?;
        Ok(context)
    }

    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    pub(super) fn docker(&self) -> Option<&Docker> {
        self.options.kind.as_ref().map(|(_, docker)| docker)
    }

    pub(super) fn describe(&self) -> String {
        format!("the existing cluster of context {}, in namespaces of the run's own", self.options.name)
    }

    /// Asks whether it answers.
    pub(super) async fn create(&self) -> anyhow::Result<Access> {
        let access = self.access();
        let client = client(&access.kubeconfig, &access.context).await?;
        call("asking the cluster for its version", client.apiserver_version()).await?;
        self.lease.hold(self.resource())?;
        Ok(access)
    }

    /// Images can only be loaded into clusters of kind's.
    pub(super) async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        let Some((kind, _)) = &self.options.kind else {
            return Ok(Loaded::HaveToBePulled(format!(
                "nothing can load images into the nodes of context {}: they have to be able to pull them",
                self.options.name
            )));
        };
        let name = self.options.name.trim_start_matches("kind-");
        for archive in archives {
            let cmd = self.launcher.cmd(&kind.path).args(["load", "image-archive"]).arg(&archive.path);
            cmd.args(["--name", name]).timeout(Duration::from_secs(300)).run().await?;
        }
        Ok(Loaded::OnNodes(archives.iter().flat_map(|archive| archive.references.clone()).collect()))
    }

    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        let Access { kubeconfig, context } = self.access();
        delete_namespaces(&kubeconfig, &context, &self.options.run_id).await?;
        self.lease.release(&self.resource())?;
        // The user's own credentials: they do not stay among the evidence.
        std::fs::remove_file(&kubeconfig).with_context(|| format!("removing {}", kubeconfig.display()))
    }

    pub(super) fn keep(&self) -> anyhow::Result<String> {
        self.lease.keep()?;
        let (name, run) = (&self.options.name, &self.options.run_id);
        Ok(format!("kept: kubectl --context {name} get namespaces --selector {RUN_LABEL}={run}"))
    }

    fn access(&self) -> Access {
        Access { kubeconfig: self.options.run_dir.join("kubeconfig"), context: self.options.name.clone() }
    }

    fn resource(&self) -> Resource {
        let Access { kubeconfig, context } = self.access();
        Resource::Namespaces { kubeconfig, context }
    }
}

/// Whether a context is one of kind's, which take image archives; not one of our own runs'.
pub(super) fn is_kinds(context: &str) -> bool {
    context.strip_prefix("kind-").is_some_and(|name| !name.starts_with(PREFIX))
}

/// Deletes the namespaces that a run labelled as its own, and waits until they are gone.
///
/// # Errors
/// Where one is still there at the limit, with its name.
pub async fn delete_namespaces(kubeconfig: &Path, context: &str, run_id: &str) -> anyhow::Result<()> {
    let client = client(kubeconfig, context).await?;
    let namespaces: Api<Namespace> = Api::all(client);
    let ours = ListParams::default().labels(&format!("{RUN_LABEL}={run_id}"));
    let what = format!("listing the namespaces of run {run_id}");
    let found = call(&what, namespaces.list(&ours)).await?;
    for name in found.iter().filter_map(|namespace| namespace.metadata.name.as_deref()) {
        call(&format!("deleting Namespace/{name}"), namespaces.delete(name, &DeleteParams::background())).await?;
    }
    let left = || async {
        let left = call(&what, namespaces.list(&ours)).await?;
        anyhow::Ok(left.items.into_iter().filter_map(|namespace| namespace.metadata.name).collect::<Vec<_>>())
    };
    let deadline = tokio::time::Instant::now() + DELETE_TIMEOUT;
    loop {
        let left = left().await?;
        if left.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            bail!("after {} s still there: Namespace/{}", DELETE_TIMEOUT.as_secs(), left.join(", Namespace/"));
        }
        // A namespace is kept by what is in it: nothing announces the last of all at once.
        tokio::time::sleep(Duration::from_millis(500)).await;
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
