//! Leases record who created a cluster or a namespace, which distinguishes what a killed run left behind from what a
//! live run needs. A run renews its leases as long as it lives: see [`Lease::keep_renewed`].

mod owner;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use embedded::changes::NodeChange;
use serde::{Deserialize, Serialize};

pub use owner::{Owner, is_running};

/// A lease of another host or container expires after this time without a renewal. Its clock may differ from ours by a
/// few minutes.
const LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// How often a live run renews its leases.
pub const RENEWED_EVERY: Duration = Duration::from_secs(60);

/// Something that a run created and has to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A kind cluster, by name.
    KindCluster(String),
    /// The folder of an embedded cluster, whose process ends with its run.
    EmbeddedCluster(PathBuf),
    /// The namespaces of the run on an existing cluster, found by their label.
    Namespaces {
        /// The run's copy of the kubeconfig.
        kubeconfig: PathBuf,
        /// The context in it.
        context: String,
    },
}

/// A change outside of the run's own namespaces, made by a fault and undone however its case ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A stopped node of a kind cluster: the container with this name.
    NodeStopped(String),
    /// A change on a running node.
    OnNode {
        /// The node's name, for kind also that of its container.
        node: String,
        /// The change.
        change: NodeChange,
    },
}

impl Change {
    /// Describes it, with the command that undoes it if there is one.
    pub fn describe(&self) -> String {
        match self {
            Self::NodeStopped(node) => format!("stopped Node/{node} (`docker start {node}`)"),
            Self::OnNode { node, change: NodeChange::Paused(container) } => {
                format!("paused container {} on Node/{node}", container.container)
            }
            Self::OnNode { node, change: NodeChange::Disks(failed) } => {
                format!("failed disks of {} on Node/{node}", failed.volumes.join(", "))
            }
            Self::OnNode { node, change: NodeChange::CutOff } => format!("Node/{node}, cut off from the other nodes"),
            Self::OnNode { node, change: NodeChange::Traffic(disturbed) } => {
                format!("lost or late traffic of the pod with UID {} on Node/{node}", disturbed.pod_uid)
            }
        }
    }
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The run's ID.
    pub run_id: String,
    /// The folder with its evidence.
    pub run_dir: PathBuf,
    /// The process that is responsible for the clean-up.
    pub owner: Owner,
    /// When another host, or another container on this host, may clean up instead.
    pub expires: DateTime<Utc>,
    /// Whether it was kept on purpose: it is swept only on request.
    #[serde(default)]
    pub kept: bool,
    /// The resources to delete.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// The changes to undo before that, the last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The run directory of the embedded cluster, of another run, on whose node the changes are; otherwise the nodes are
    /// containers of Docker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_on: Option<PathBuf>,
}

/// Whether a run still needs its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its process is running, or, if that can't be seen from here, it was renewed recently.
    Held,
    /// It was kept on purpose.
    Kept,
    /// Nothing is going to clean up.
    Abandoned,
}

impl LeaseRecord {
    /// Returns the record of a run in this process that has no resources yet.
    pub fn of_this_process(run_id: &str, run_dir: &Path) -> Self {
        Self {
            run_id: run_id.to_owned(),
            run_dir: run_dir.to_owned(),
            owner: Owner::this_process(),
            expires: Utc::now() + LIFETIME,
            kept: false,
            resources: vec![],
            changes: vec![],
            changes_on: None,
        }
    }

    /// Returns whether there is nothing to clean up.
    fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.changes.is_empty()
    }

    /// Removes a resource that is gone. The changes to a cluster's nodes are gone with the cluster.
    pub fn forget(&mut self, resource: &Resource) {
        self.resources.retain(|held| held != resource);
        if matches!(resource, Resource::KindCluster(_)) {
            self.changes.clear();
        }
    }

    /// Returns whether its resources end with its process, so that keeping them means that the process stays.
    fn dies_with_its_process(&self) -> bool {
        !self.resources.is_empty() && self.resources.iter().all(|one| matches!(one, Resource::EmbeddedCluster(_)))
    }

    /// Returns whether the run still needs its resources, as seen from `here`. A host's name proves nothing: CI containers
    /// share it but have separate process IDs.
    pub fn state(&self, here: &Owner, now: DateTime<Utc>, is_running: impl Fn(&Owner) -> bool) -> State {
        let held = if self.owner.is_beside(here) { is_running(&self.owner) } else { now < self.expires };
        match (held, self.kept && !self.dies_with_its_process()) {
            (true, _) => State::Held,
            (false, true) => State::Kept,
            (false, false) => State::Abandoned,
        }
    }
}

/// The lease of the current run. Its file exists as long as the run has resources.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    record: Mutex<LeaseRecord>,
}

impl Lease {
    /// Returns a lease for a run in this process. Nothing is written until it has a resource.
    pub fn new(folder: &Path, run_id: &str, run_dir: &Path) -> Self {
        let record = Mutex::new(LeaseRecord::of_this_process(run_id, run_dir));
        Self { path: folder.join(format!("{run_id}.json")), record }
    }

    /// Adds a resource. Call this before the resource is created.
    ///
    /// # Errors
    /// If the lease can't be written; then nothing should be created.
    pub fn hold(&self, resource: Resource) -> anyhow::Result<()> {
        self.change(|record| record.resources.push(resource))
    }

    /// Removes a resource that is gone.
    ///
    /// # Errors
    /// If the lease can't be written.
    pub fn release(&self, resource: &Resource) -> anyhow::Result<()> {
        self.change(|record| record.forget(resource))
    }

    /// Returns whether it contains a resource.
    pub fn holds(&self, resource: &Resource) -> bool {
        self.record().resources.contains(resource)
    }

    /// Adds a change, and the run directory of the embedded cluster on whose node it is made, if it is one. Call this
    /// before the change is made.
    ///
    /// # Errors
    /// If the lease can't be written; then nothing should be changed.
    pub fn note_change(&self, change: &Change, embedded: Option<&Path>) -> anyhow::Result<()> {
        self.change(|record| {
            if !record.changes.contains(change) {
                record.changes.push(change.clone());
            }
            record.changes_on = embedded.map(Path::to_owned);
        })
    }

    /// Removes a change that is undone.
    ///
    /// # Errors
    /// If the lease can't be written.
    pub fn undone(&self, change: &Change) -> anyhow::Result<()> {
        self.change(|record| record.changes.retain(|made| made != change))
    }

    /// Marks all resources as kept on purpose.
    ///
    /// # Errors
    /// If the lease can't be written.
    pub fn keep(&self) -> anyhow::Result<()> {
        self.change(|record| record.kept = true)
    }

    /// Returns whether the resources are kept on purpose.
    pub fn is_kept(&self) -> bool {
        self.record().kept
    }

    /// Renews the lease as long as it exists, which shows others that the run lives. Failures are passed to `trouble`.
    pub fn keep_renewed(self: &Arc<Self>, trouble: impl Fn(&anyhow::Error) + Send + 'static) {
        let lease = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(RENEWED_EVERY);
            loop {
                beat.tick().await;
                let Some(lease) = lease.upgrade() else { return };
                if let Err(error) = lease.change(|_| {}) {
                    trouble(&error);
                }
            }
        });
    }

    fn record(&self) -> MutexGuard<'_, LeaseRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record. Every write also renews the lease.
    fn change(&self, change: impl FnOnce(&mut LeaseRecord)) -> anyhow::Result<()> {
        let mut record = self.record();
        change(&mut record);
        record.expires = Utc::now() + LIFETIME;
        write(&self.path, &record)
    }
}

/// Returns `$XDG_STATE_HOME/chartproof/leases`, otherwise the same below `~/.local/state`.
///
/// # Errors
/// If neither `XDG_STATE_HOME` nor `HOME` is set.
pub fn folder() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    Ok(state.context("neither XDG_STATE_HOME nor HOME is set: set one of them")?.join("chartproof/leases"))
}

/// Returns all leases in a folder, with their files. A lease that can't be read is skipped: it may come from a newer
/// version.
///
/// # Errors
/// If the folder can't be read.
pub fn all(folder: &Path) -> anyhow::Result<Vec<(PathBuf, LeaseRecord)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let leases = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: PathBuf| Some((path.clone(), serde_json::from_slice(&fs::read(&path).ok()?).ok()?));
    let mut found: Vec<(PathBuf, LeaseRecord)> = leases.filter_map(read).collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// Writes a lease atomically, or removes it if it is empty.
///
/// # Errors
/// If the file can't be written or removed.
pub fn write(path: &Path, record: &LeaseRecord) -> anyhow::Result<()> {
    let written = || -> anyhow::Result<()> {
        if record.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            };
        }
        let folder = path.parent().context("a lease without a folder")?;
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(record)?)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("writing the lease {}", path.display()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
