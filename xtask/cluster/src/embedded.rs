//! The embedded cluster as a provider.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use embedded::changes::NodeChange;
use embedded::cluster::{Cluster, Options, host_serves};
use embedded::faults::{Faults, VARIABLE};
use tokio::sync::Mutex;

use super::container::RunningContainer;
use super::creation::{Creation, CreationState};
use super::lease::{Lease, Resource};
use super::not_applicable::NotApplicable;
use super::{Access, Health, Loaded};
use console::{exit, program};
use images::{self, Archive, Reference};
use process::{Launcher, quote};

/// The name of the context in the cluster's kubeconfig.
pub(super) const CONTEXT: &str = "chartproof";

/// The program that runs the cluster.
const PROGRAM: &str = "embedded-node";

/// An embedded cluster, from plan to deletion.
pub struct Embedded {
    launcher: Launcher,
    dir: PathBuf,
    because: String,
    faults: Faults,
    lease: Arc<Lease>,
    creation: Creation,
    running: Mutex<Option<Cluster>>,
}

impl Embedded {
    /// Returns a planned cluster; nothing is started. `because` says why it was chosen, if it was not requested.
    pub(super) fn new(launcher: Launcher, run_dir: &Path, because: String, lease: Arc<Lease>) -> anyhow::Result<Self> {
        let (creation, running) = (Creation::new(), Mutex::new(None));
        Ok(Self { launcher, dir: run_dir.join("cluster"), because, faults: planted()?, lease, creation, running })
    }

    pub(super) fn describe(&self) -> String {
        let planted = if self.faults.0.is_empty() { "" } else { ", with planted faults" };
        format!("the embedded cluster{planted}{}", self.because)
    }

    pub(super) async fn create(&self) -> anyhow::Result<Access> {
        self.lease.hold(self.resource())?;
        self.creation.set(CreationState::Creating);
        let started = self.start().await;
        self.creation.finish(&started);
        started
    }

    async fn start(&self) -> anyhow::Result<Access> {
        let program = node_program(&self.launcher).await?;
        let cluster = Cluster::start(Options { dir: self.dir.clone(), program, faults: self.faults.clone() }).await?;
        let access = Access { kubeconfig: cluster.kubeconfig().to_owned(), context: CONTEXT.to_owned() };
        *self.running.lock().await = Some(cluster);
        Ok(access)
    }

    pub(super) async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        self.creation.created().await?;
        let running = self.running.lock().await;
        let cluster = running.as_ref().context("the embedded cluster has ended")?;
        load(cluster, archives).await
    }

    pub(super) async fn kill_container(&self, container: &RunningContainer) -> anyhow::Result<()> {
        let running = self.running.lock().await;
        let cluster = running.as_ref().context("the embedded cluster has ended")?;
        cluster.kill_container(&container.pod_uid, &container.container).await
    }

    /// Makes a change on the node. It ends with the node's process, and so with the run: no lease has to name it.
    pub(super) async fn make(&self, change: &NodeChange) -> anyhow::Result<Result<(), NotApplicable>> {
        let running = self.running.lock().await;
        make(running.as_ref().context("the embedded cluster has ended")?, change).await
    }

    pub(super) async fn undo(&self, change: &NodeChange) -> anyhow::Result<()> {
        match self.running.lock().await.as_ref() {
            Some(cluster) => cluster.undo(change).await,
            None => Ok(()),
        }
    }

    pub(super) async fn packets_hit(&self, change: &NodeChange) -> anyhow::Result<u64> {
        let running = self.running.lock().await;
        running.as_ref().context("the embedded cluster has ended")?.packets_hit(change).await
    }

    /// Returns whether the node's process is running. Long waits for the cluster check that process.
    pub(super) async fn health(&self) -> Health {
        match self.running.lock().await.as_mut().and_then(Cluster::ended) {
            Some(how) => Health::Gone(format!("the process of the embedded cluster has ended ({how})")),
            None => Health::Runs,
        }
    }

    pub(super) async fn remarks(&self) -> anyhow::Result<Vec<String>> {
        let running = self.running.lock().await;
        match running.as_ref() {
            Some(cluster) => remarks(cluster).await,
            None => Ok(vec![]),
        }
    }

    /// Copies the node's own log; everything else is already in the run's directory.
    pub(super) fn export_logs(&self, into: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(into).with_context(|| format!("creating {}", into.display()))?;
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().filter_map(Result::ok);
        for entry in entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log")) {
            std::fs::copy(entry.path(), into.join(entry.file_name()))
                .with_context(|| format!("copying {}", entry.path().display()))?;
        }
        Ok(())
    }

    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        if matches!(self.creation.now(), CreationState::Absent | CreationState::Ended) {
            return Ok(());
        }
        if let Some(cluster) = self.running.lock().await.take() {
            cluster.stop().await?;
        }
        self.creation.set(CreationState::Ended);
        remove(&self.dir)?;
        self.lease.release(&self.resource())
    }

    /// Makes the cluster available to others as long as this process runs, and returns how to use it.
    pub(super) fn keep(&self) -> anyhow::Result<String> {
        self.lease.keep()?;
        let kubeconfig = quote(&self.dir.join("kubeconfig").display().to_string());
        let command = program::command();
        Ok(format!(
            "kept: kubectl --kubeconfig {kubeconfig} --context {CONTEXT}; Ctrl-C or `{command} cluster down` ends it"
        ))
    }

    fn resource(&self) -> Resource {
        Resource::EmbeddedCluster(self.dir.clone())
    }
}

/// Returns the program of the embedded cluster, which cargo compiles if its sources have changed, or the installed one.
///
/// # Errors
/// If it does not compile, there is no cargo, or it is not installed.
pub async fn node_program(launcher: &Launcher) -> anyhow::Result<PathBuf> {
    if program::installed().is_none() {
        launcher.note(format!("{PROGRAM}: compiling if it has changed"));
    }
    let program = images::program(launcher, PROGRAM).await;
    Ok(program.context("the embedded cluster's program")?.executable)
}

/// Returns why the embedded cluster can't be started on this machine, and what to do, or `None` if it can.
pub(super) fn unavailable() -> Option<(String, &'static str)> {
    if !cfg!(target_os = "linux") {
        return Some(("the embedded cluster requires Linux".to_owned(), "install Docker and use `--cluster kind`"));
    }
    let fix = "install Chartproof's package `node` in the same way, or start Docker and use `--cluster kind`";
    images::missing(PROGRAM).map(|missing| (missing, fix))
}

/// Returns whether an embedded cluster on this host provides an image without loading.
pub(super) fn has(image: &Reference) -> bool {
    image.digest.is_none() && host_serves(&format!("{}/{}", image.registry, image.repository))
}

/// Loads archives into an embedded cluster.
pub(super) async fn load(cluster: &Cluster, archives: &[Archive]) -> anyhow::Result<Loaded> {
    for archive in archives {
        let loaded = cluster.load_images(&archive.path).await;
        loaded.with_context(|| format!("{} can't be loaded", archive.path.display()))?;
    }
    Ok(Loaded::on_nodes(archives))
}

/// Makes a change on the node of an embedded cluster.
pub(super) async fn make(cluster: &Cluster, change: &NodeChange) -> anyhow::Result<Result<(), NotApplicable>> {
    Ok(cluster.make(change).await?.map_or(Ok(()), |why| Err(NotApplicable(why))))
}

/// Returns what limits the significance of results on an embedded cluster.
pub(super) async fn remarks(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let report = cluster.report().await?;
    let lines = [
        ("stored, but has no effect", report.inert),
        ("accepted, but has no effect on one node", report.ignored_fields),
        ("provided by programs of this machine instead of an image", report.host_images),
        ("not enforced", report.not_enforced),
    ];
    let lines_of = |(what, of)| together(of).into_iter().map(move |one| format!("{what}: {one}"));
    Ok(lines.into_iter().flat_map(lines_of).collect())
}

/// Groups fields: `Job a/b spec.x` and `Job a/c spec.x` become `spec.x of 2 objects`. Other lines are unchanged.
fn together(lines: Vec<String>) -> Vec<String> {
    let mut objects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let (object, field) = line.rsplit_once(' ').filter(|(_, field)| field.contains("spec.")).unwrap_or((&line, ""));
        objects
            .entry(if field.is_empty() { line.clone() } else { field.to_owned() })
            .or_default()
            .push(object.to_owned());
    }
    let lines_of = |(line, of): (String, Vec<String>)| match of.as_slice() {
        [one] if *one == line => line,
        [one] => format!("{line} of {one}"),
        several => format!("{line} of {} objects", several.len()),
    };
    objects.into_iter().map(lines_of).collect()
}

/// Removes the folder of a cluster whose process has ended.
pub(super) fn remove(dir: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} is left behind", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Returns the faults that a test planted through the environment.
fn planted() -> anyhow::Result<Faults> {
    match std::env::var(VARIABLE) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| exit::usage(format!("{VARIABLE}: {error}"))),
        Err(_) => Ok(Faults::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn a_field_of_several_objects_is_reported_once() {
        let lines =
            ["Job a/b spec.x", "Job a/c spec.x", "Pod a/d spec.y", "CPU limits are not enforced"].map(str::to_owned);
        let lines_of = ["CPU limits are not enforced", "spec.x of 2 objects", "spec.y of Pod a/d"];
        assert_eq!(together(lines.to_vec()), lines_of);
    }
}
