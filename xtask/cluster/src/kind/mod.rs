//! A kind cluster, created with its own kubeconfig, never the user's.

mod load;

pub(super) use load::Loader;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::creation::{Creation, CreationState};
use super::lease::{Lease, Resource};
use super::{Access, Loaded, hints};
use images::Archive;
use process::{Cmd, CommandError, Launcher};
use tools::{Docker, Tool};

/// The prefix of the names of all clusters that runs create.
pub const PREFIX: &str = "chartproof-";
/// Long, because kind pulls the node image if Docker does not have it.
const CREATE_TIMEOUT: Duration = Duration::from_secs(600);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(120);
const DELETE_TIMEOUT: Duration = Duration::from_secs(120);
/// More than one: a node that Docker was still starting when `kind create` was stopped can appear after a deletion.
const DELETE_ATTEMPTS: u32 = 3;

/// The options for a kind cluster.
pub struct Options {
    /// The kind executable.
    pub kind: Tool,
    /// The Docker that runs its nodes.
    pub docker: Docker,
    /// The node image, by digest.
    pub node_image: String,
    /// The user's configuration file, if any.
    pub config: Option<PathBuf>,
    /// The run's ID, part of the cluster's name.
    pub run_id: String,
    /// The folder for its kubeconfig.
    pub run_dir: PathBuf,
}

/// A kind cluster, from plan to deletion.
pub struct Kind {
    launcher: Launcher,
    options: Options,
    lease: Arc<Lease>,
    creation: Creation,
}

impl Kind {
    /// Returns a planned cluster; nothing is created.
    pub fn new(launcher: Launcher, options: Options, lease: Arc<Lease>) -> Self {
        Self { launcher, options, lease, creation: Creation::new() }
    }

    /// Returns the cluster's name, which is also the prefix of its nodes' names.
    pub fn cluster_name(&self) -> String {
        format!("{PREFIX}{}", self.options.run_id)
    }

    pub(super) fn describe(&self) -> String {
        let Options { kind, docker, node_image, .. } = &self.options;
        format!("kind v{} on Docker {}, node image {node_image}", kind.version, docker.server)
    }

    pub(super) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.options.docker
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Creates the cluster, without waiting until its nodes are ready: cases that need that wait for it.
    ///
    /// # Errors
    /// With kind's last output and advice. The nodes are kept for their logs until [`Kind::delete`].
    pub async fn create(&self) -> anyhow::Result<Access> {
        self.lease.hold(self.resource())?;
        self.creation.set(CreationState::Creating);
        let created = self.run_create().await;
        self.creation.finish(&created);
        created
    }

    async fn run_create(&self) -> anyhow::Result<Access> {
        let access = self.access();
        let Options { node_image, config, .. } = &self.options;
        let mut cmd = self.kind(&["create", "cluster", "--name", &self.cluster_name(), "--image", node_image]);
        cmd = cmd.arg("--retain");
        if let Some(config) = config {
            cmd = cmd.arg("--config").arg(config);
        }
        cmd = cmd.arg("--kubeconfig").arg(&access.kubeconfig);
        cmd.timeout(CREATE_TIMEOUT).run().await.map_err(advised)?;
        restrict(&access.kubeconfig)?;
        Ok(access)
    }

    /// Loads archives into all nodes, as soon as these accept them.
    ///
    /// # Errors
    /// If the cluster was not created, or an archive can't be loaded into the complete cluster.
    pub async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        let Options { kind, docker, .. } = &self.options;
        let loader = Loader { launcher: &self.launcher, kind, docker, name: &self.cluster_name() };
        loader.load(&self.creation, archives).await
    }

    /// Exports the logs of all nodes with kind.
    ///
    /// # Errors
    /// If kind fails, with its output.
    pub async fn export_logs(&self, into: &Path) -> anyhow::Result<()> {
        if matches!(self.creation.now(), CreationState::Absent | CreationState::Ended) {
            return Ok(());
        }
        let cmd = self.last(&["export", "logs"]).arg(into).args(["--name", &self.cluster_name()]);
        cmd.timeout(EXPORT_TIMEOUT).run().await?;
        Ok(())
    }

    /// Deletes the cluster, and checks that it is gone.
    ///
    /// # Errors
    /// If it still exists, with the command that deletes it.
    pub async fn delete(&self) -> anyhow::Result<()> {
        if matches!(self.creation.now(), CreationState::Absent | CreationState::Ended) {
            return Ok(());
        }
        let kubeconfig = self.access().kubeconfig;
        let launcher = self.launcher.stopped_by(CancellationToken::new());
        let deleted = delete(&launcher, &self.options.kind, &self.cluster_name(), &kubeconfig).await;
        // Also after a failure: it was tried often enough, and the lease leaves it to the next run.
        self.creation.set(CreationState::Ended);
        deleted?;
        self.lease.release(&self.resource())
    }

    pub(super) fn keep(&self) -> anyhow::Result<String> {
        self.lease.keep()?;
        self.creation.set(CreationState::Ended);
        let Access { kubeconfig, context } = self.access();
        let kubeconfig = kubeconfig.display();
        Ok(format!(
            "kept: kubectl --kubeconfig {kubeconfig} --context {context}; delete it with: kind delete cluster --name {} \
             --kubeconfig {kubeconfig}",
            self.cluster_name()
        ))
    }

    fn access(&self) -> Access {
        let context = format!("kind-{}", self.cluster_name());
        Access { kubeconfig: self.options.run_dir.join("kubeconfig"), context }
    }

    fn resource(&self) -> Resource {
        Resource::KindCluster(self.cluster_name())
    }

    fn kind(&self, args: &[&str]) -> Cmd {
        self.launcher.cmd(&self.options.kind.path).args(args)
    }

    /// Returns a command that must also work after the run was interrupted.
    fn last(&self, args: &[&str]) -> Cmd {
        self.launcher.stopped_by(CancellationToken::new()).cmd(&self.options.kind.path).args(args)
    }
}

impl Drop for Kind {
    /// A last resort after a panic: deletes the cluster if the run did not.
    fn drop(&mut self) {
        if matches!(self.creation.now(), CreationState::Absent | CreationState::Ended) {
            return;
        }
        let name = self.cluster_name();
        console::err(format_args!("deleting the kind cluster {name}, which the run did not delete"));
        let (launcher, kind) = (self.launcher.stopped_by(CancellationToken::new()), self.options.kind.clone());
        let kubeconfig = self.access().kubeconfig;
        // In a separate thread: a runtime can't be started within another.
        let deleted = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(delete(&launcher, &kind, &name, &kubeconfig))
        });
        match deleted.join() {
            Ok(Ok(())) => drop(self.lease.release(&self.resource())),
            Ok(Err(error)) => console::err(format_args!("{error:#}")),
            Err(_) => console::err("deleting the kind cluster panicked"),
        }
    }
}

/// Returns the node that runs the API server of a kind cluster.
pub(super) fn control_plane(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// Deletes a kind cluster, and checks that it is gone. A cluster that never existed counts as gone.
///
/// # Errors
/// If it still exists, with the command that deletes it.
pub async fn delete(launcher: &Launcher, kind: &Tool, name: &str, kubeconfig: &Path) -> anyhow::Result<()> {
    let mut last = String::new();
    for _ in 0..DELETE_ATTEMPTS {
        let cmd = launcher.cmd(&kind.path).args(["delete", "cluster", "--name", name, "--kubeconfig"]);
        if let Err(error) = cmd.arg(kubeconfig).timeout(DELETE_TIMEOUT).run().await {
            last = error.to_string();
        }
        match clusters(launcher, kind).await {
            Ok(names) if !names.iter().any(|found| found == name) => return Ok(()),
            Ok(_) => {}
            Err(error) => last = error.to_string(),
        }
    }
    bail!("the kind cluster {name} is left behind; delete it with `kind delete cluster --name {name}`\n{last}")
}

/// Returns the names of all kind clusters, ours and others'.
///
/// # Errors
/// If kind or Docker does not respond.
pub async fn clusters(launcher: &Launcher, kind: &Tool) -> Result<Vec<String>, CommandError> {
    let listed = launcher.cmd(&kind.path).args(["get", "clusters"]).run().await?;
    Ok(listed.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Prepends advice to a command's error.
fn advised(error: CommandError) -> anyhow::Error {
    match hints::of(&error.tail) {
        "" => error.into(),
        advice => anyhow::Error::from(error).context(advice),
    }
}

/// Makes a file accessible to its owner only.
pub(super) fn restrict(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("{}: kind wrote no kubeconfig", path.display()))
}
