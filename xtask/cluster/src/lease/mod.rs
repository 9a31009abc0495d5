//! Leases: who created a cluster or a namespace, so that what a killed run left behind can be told from what a
//! living one needs. A run renews its leases as long as it lives: see [`Lease::keep_renewed`].

mod owner;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use owner::{Owner, is_running};

/// After this long without a renewal, a lease of another host or container is void. Its clock may differ from ours by
/// some minutes.
const LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// How often a living run renews its leases.
pub const RENEWED_EVERY: Duration = Duration::from_secs(60);

/// Something that a run created and has to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A cluster of kind's, by name.
    KindCluster(String),
    /// The folder of an embedded cluster, whose process dies with its run.
    EmbeddedCluster(PathBuf),
    /// The namespaces of the run on a cluster that was there before, found by their label.
    Namespaces {
        /// The run's copy of the kubeconfig.
        kubeconfig: PathBuf,
        /// The context in it.
        context: String,
    },
}

/// Something outside of a run's own namespaces that a fault changed, and that is undone whatever becomes of its case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A node of a kind cluster is stopped: the container of this name.
    NodeStopped(String),
}

/// What is written down of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Names the run.
    pub run_id: String,
    /// Where its evidence is.
    pub run_dir: PathBuf,
    /// The process that is to clean up.
    pub owner: Owner,
    /// When another host, or another container of this one, may clean up instead.
    pub expires: DateTime<Utc>,
    /// Left behind on purpose: swept only when asked for.
    #[serde(default)]
    pub kept: bool,
    /// What is to be deleted.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// What is to be undone before, the last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Whether a run still needs what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its process runs; where that can't be seen from here, it was renewed lately.
    Held,
    /// It was left behind on purpose.
    Kept,
    /// Nobody is going to clean up.
    Abandoned,
}

impl LeaseRecord {
    /// A run of this process that holds nothing yet.
    pub fn of_this_process(run_id: &str, run_dir: &Path) -> Self {
        Self {
            run_id: run_id.to_owned(),
            run_dir: run_dir.to_owned(),
            owner: Owner::this_process(),
            expires: Utc::now() + LIFETIME,
            kept: false,
            resources: vec![],
            changes: vec![],
        }
    }

    /// Whether there is nothing to clean up after it.
    fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.changes.is_empty()
    }

    /// Forgets a resource that is gone; a cluster takes with it what was changed about its nodes.
    pub fn forget(&mut self, resource: &Resource) {
        self.resources.retain(|held| held != resource);
        if matches!(resource, Resource::KindCluster(_)) {
            self.changes.clear();
        }
    }

    /// Whether what it holds dies with its process, so that keeping it means no more than that the process stays.
    fn dies_with_its_process(&self) -> bool {
        !self.resources.is_empty() && self.resources.iter().all(|one| matches!(one, Resource::EmbeddedCluster(_)))
    }

    /// Whether the run still needs what it holds, as seen from `here`. A host's name proves nothing: containers of CI
    /// share it, and have process ids of their own.
    pub fn state(&self, here: &Owner, now: DateTime<Utc>, is_running: impl Fn(&Owner) -> bool) -> State {
        let held = if self.owner.is_beside(here) { is_running(&self.owner) } else { now < self.expires };
        match (held, self.kept && !self.dies_with_its_process()) {
            (true, _) => State::Held,
            (false, true) => State::Kept,
            (false, false) => State::Abandoned,
        }
    }
}

/// The lease of the running run. Its file is there as long as it holds something.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    record: Mutex<LeaseRecord>,
}

impl Lease {
    /// A lease for a run of this process; nothing is written before it holds something.
    pub fn new(folder: &Path, run_id: &str, run_dir: &Path) -> Self {
        let record = Mutex::new(LeaseRecord::of_this_process(run_id, run_dir));
        Self { path: folder.join(format!("{run_id}.json")), record }
    }

    /// Holds a resource from now on: call this before it is created.
    ///
    /// # Errors
    /// Where the lease can't be written; then nothing should be created.
    pub fn hold(&self, resource: Resource) -> anyhow::Result<()> {
        self.change(|record| record.resources.push(resource))
    }

    /// Holds a resource no longer: it is gone.
    ///
    /// # Errors
    /// Where the lease can't be written.
    pub fn release(&self, resource: &Resource) -> anyhow::Result<()> {
        self.change(|record| record.forget(resource))
    }

    /// Whether it holds a resource.
    pub fn holds(&self, resource: &Resource) -> bool {
        self.record().resources.contains(resource)
    }

    /// Writes a change down: call this before it is made.
    ///
    /// # Errors
    /// Where the lease can't be written; then nothing should be changed.
    pub fn note_change(&self, change: &Change) -> anyhow::Result<()> {
        self.change(|record| record.changes.push(change.clone()))
    }

    /// Strikes a change out: it is undone.
    ///
    /// # Errors
    /// Where the lease can't be written.
    pub fn undone(&self, change: &Change) -> anyhow::Result<()> {
        self.change(|record| record.changes.retain(|made| made != change))
    }

    /// Leaves everything behind on purpose.
    ///
    /// # Errors
    /// Where the lease can't be written.
    pub fn keep(&self) -> anyhow::Result<()> {
        self.change(|record| record.kept = true)
    }

    /// Whether it was left behind on purpose.
    pub fn is_kept(&self) -> bool {
        self.record().kept
    }

    /// Renews it as long as it is there, by which others see that the run lives; `trouble` gets to know why that fails.
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

    /// Whatever is written says at the same time that the run lives.
    fn change(&self, change: impl FnOnce(&mut LeaseRecord)) -> anyhow::Result<()> {
        let mut record = self.record();
        change(&mut record);
        record.expires = Utc::now() + LIFETIME;
        write(&self.path, &record)
    }
}

/// `$XDG_STATE_HOME/chartproof/leases`, else below `~/.local/state`.
///
/// # Errors
/// Where neither is set.
pub fn folder() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    Ok(state.context("neither XDG_STATE_HOME nor HOME is set: set one of them")?.join("chartproof/leases"))
}

/// All leases of a folder, with their files. One that can't be read is left alone: it may be being written by a
/// newer version.
///
/// # Errors
/// Where the folder can't be read.
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

/// Writes a lease whole, or removes it where it holds nothing.
///
/// # Errors
/// Where the file system refuses.
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
