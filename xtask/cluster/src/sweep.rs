//! Deletes what dead runs have left behind.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::Utc;

use super::lease::{self, Change, LeaseRecord, Owner, Resource, State, is_running};
use super::namespaces::{self, RUN_LABEL};
use super::node::{self, DockerOfNodes};
use super::{embedded, kind, kubeconfig};
use process::Launcher;
use tools::{self, Docker, Name};

/// How long a run that exits at once may take to undo its changes.
const UNDO_TIMEOUT: Duration = Duration::from_secs(10);

/// A run that has resources, and whether it still needs them.
#[derive(Debug)]
pub struct LeasedRun {
    /// Its lease.
    pub record: LeaseRecord,
    /// Whether it still needs its resources.
    pub state: State,
    path: std::path::PathBuf,
}

/// Returns all runs that have resources.
///
/// # Errors
/// If the leases can't be read.
pub fn runs(folder: &Path) -> anyhow::Result<Vec<LeasedRun>> {
    let (here, now) = (Owner::this_process(), Utc::now());
    let leases = lease::all(folder)?;
    let run =
        |(path, record): (_, LeaseRecord)| LeasedRun { state: record.state(&here, now, is_running), record, path };
    Ok(leases.into_iter().map(run).collect())
}

/// Describes what a run that exits at once leaves behind, and how to remove it.
pub fn left_behind(folder: &Path, run_id: &str) -> String {
    let runs = runs(folder).unwrap_or_default();
    let names: Vec<_> =
        runs.iter().filter(|run| run.record.run_id == run_id).flat_map(|run| left(&run.record)).collect();
    if names.is_empty() {
        return "nothing is left behind".to_owned();
    }
    let command = console::program::command();
    format!("left behind: {}; the next run sweeps it, or `{command} cluster sweep`", names.join(", "))
}

/// Describes the changes and resources of a run.
pub fn left(record: &LeaseRecord) -> Vec<String> {
    record.changes.iter().map(Change::describe).chain(record.resources.iter().map(name)).collect()
}

/// Ends a run without its clean-up, but quickly undoes its changes outside of its own cluster and namespaces. Returns a
/// description of what is left behind.
pub fn abandon(folder: &Path, run_id: &str) -> String {
    let undo = async {
        for mut run in runs(folder)?.into_iter().filter(|run| run.record.run_id == run_id) {
            undo_all(&Launcher::light(false), &mut run).await;
        }
        anyhow::Ok(())
    };
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        drop(runtime.block_on(async { tokio::time::timeout(UNDO_TIMEOUT, undo).await }));
    }
    left_behind(folder, run_id)
}

/// Deletes all abandoned resources and, if `kept`, also those that were kept on purpose. Returns a line with the result
/// for each.
///
/// # Errors
/// If the leases can't be read. A resource that can't be deleted is reported in its line, and keeps its lease.
pub async fn sweep(launcher: &Launcher, folder: &Path, kept: bool) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for mut run in runs(folder)? {
        if run.state != State::Held {
            lines.extend(undo_all(launcher, &mut run).await);
        }
        if run.state == State::Abandoned || (kept && run.state == State::Kept) {
            for resource in run.record.resources.clone() {
                lines.push(sweep_one(launcher, &mut run, &resource).await);
            }
        }
    }
    Ok(lines)
}

/// Undoes the changes of a run's faults, the last first.
async fn undo_all(launcher: &Launcher, run: &mut LeasedRun) -> Vec<String> {
    let mut lines = Vec::new();
    for change in run.record.changes.clone().iter().rev() {
        let undone = undo(launcher, run.record.changes_on.as_deref(), change).await;
        lines.push(swept(run, &change.describe(), undone, |record| record.changes.retain(|made| made != change)));
    }
    lines
}

async fn undo(launcher: &Launcher, embedded: Option<&Path>, change: &Change) -> anyhow::Result<()> {
    if let Some(dir) = embedded {
        return node::undo_on_embedded(dir, change).await;
    }
    let docker = &Docker::find(launcher).await?;
    DockerOfNodes { launcher, docker }.undo(change).await
}

async fn sweep_one(launcher: &Launcher, run: &mut LeasedRun, resource: &Resource) -> String {
    let deleted = delete(launcher, &run.record, resource).await;
    swept(run, &name(resource), deleted, |record| record.forget(resource))
}

/// Returns the line for one resource or change; if it is gone, it is removed from the lease.
fn swept(run: &mut LeasedRun, what: &str, done: anyhow::Result<()>, forget: impl FnOnce(&mut LeaseRecord)) -> String {
    let whose = format!("{what} of run {}, whose process {} is gone", run.record.run_id, run.record.owner.pid);
    if let Err(error) = done {
        return format!("can't sweep {whose}: {error:#}");
    }
    forget(&mut run.record);
    match lease::write(&run.path, &run.record) {
        Ok(()) => format!("swept {whose}"),
        Err(error) => format!("swept {whose}; {error:#}"),
    }
}

/// Describes a resource.
pub fn name(resource: &Resource) -> String {
    match resource {
        Resource::KindCluster(name) => format!("kind cluster {name}"),
        Resource::EmbeddedCluster(dir) => format!("embedded cluster in {}", dir.display()),
        Resource::Namespaces { context, .. } => format!("namespaces on context {context}"),
    }
}

async fn delete(launcher: &Launcher, record: &LeaseRecord, resource: &Resource) -> anyhow::Result<()> {
    match resource {
        Resource::KindCluster(name) => {
            if !name.starts_with(kind::PREFIX) {
                bail!("{name} is not the name of a cluster that a run created");
            }
            let tool = tools::resolve(launcher, Name::Kind).await?;
            kind::delete(launcher, &tool, name, &record.run_dir.join("kubeconfig")).await
        }
        Resource::EmbeddedCluster(dir) => {
            if !dir.starts_with(&record.run_dir) {
                bail!("{} is not in the run's directory", dir.display());
            }
            embedded::remove(dir)
        }
        Resource::Namespaces { kubeconfig, context } => {
            let client = kubernetes::client(kubeconfig, context).await?;
            let deleted = namespaces::delete_of_run(&client, &record.run_id).await;
            deleted.with_context(|| format!("the namespaces labelled {RUN_LABEL}={}", record.run_id))?;
            // Only remove the run's own copy.
            if kubeconfig.starts_with(&record.run_dir) { kubeconfig::forget(kubeconfig) } else { Ok(()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::embedded::changes::{NodeChange, PausedContainer};
    use chrono::TimeDelta;

    fn record(run_id: &str, dir: &Path, owner: Owner, kept: bool) -> LeaseRecord {
        let resources = vec![Resource::EmbeddedCluster(dir.join("cluster"))];
        let expires = Utc::now() + TimeDelta::hours(1);
        LeaseRecord {
            run_id: run_id.to_owned(),
            run_dir: dir.to_owned(),
            owner,
            expires,
            kept,
            resources,
            changes: vec![],
            changes_on: None,
        }
    }

    #[tokio::test]
    async fn only_abandoned_resources_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let leases = dir.path().join("leases");
        let (alive, dead) = (Owner::this_process(), Owner { pid: i32::MAX, ..Owner::this_process() });
        for (name, owner, kept) in [("alive", alive, false), ("dead", dead.clone(), false), ("kept", dead, true)] {
            let run_dir = dir.path().join(name);
            std::fs::create_dir_all(run_dir.join("cluster/volumes")).unwrap();
            let mut record = record(name, &run_dir, owner, kept);
            if kept {
                // An embedded cluster can't outlive its run.
                record.resources = vec![Resource::KindCluster("prod".to_owned())];
            }
            lease::write(&leases.join(format!("{name}.json")), &record).unwrap();
        }
        let there = |name: &str| dir.path().join(name).join("cluster").exists();
        let launcher = Launcher::light(false);
        let lines = sweep(&launcher, &leases, false).await.unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("swept embedded cluster in ") && lines[0].contains("of run dead, whose process"));
        assert!(there("alive") && !there("dead"));
        assert!(dir.path().join("dead").exists(), "evidence stays");
        let lines = sweep(&launcher, &leases, true).await.unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("can't sweep kind cluster prod of run kept"), "{lines:?}");
        assert!(there("alive"));
    }

    #[tokio::test]
    async fn a_change_on_an_embedded_cluster_that_is_gone_is_gone_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let dead = Owner { pid: i32::MAX, ..Owner::this_process() };
        let paused = PausedContainer { pod_uid: "77".to_owned(), container: "web".to_owned(), id: "1b".to_owned() };
        let change = Change::OnNode { node: "one".to_owned(), change: NodeChange::Paused(paused) };
        let mut record = record("other", dir.path(), dead, false);
        (record.resources, record.changes) = (vec![], vec![change]);
        record.changes_on = Some(dir.path().join("gone"));
        lease::write(&dir.path().join("other.json"), &record).unwrap();
        let lines = sweep(&Launcher::light(false), dir.path(), false).await.unwrap();
        assert!(lines[0].starts_with("swept paused container web on Node/one of run other"), "{lines:?}");
        assert!(!dir.path().join("other.json").exists());
    }

    #[tokio::test]
    async fn a_lease_can_not_cause_the_deletion_of_foreign_resources() {
        let dir = tempfile::tempdir().unwrap();
        let (run_dir, other) = (dir.path().join("run"), dir.path().join("other"));
        std::fs::create_dir_all(&other).unwrap();
        let dead = Owner { pid: i32::MAX, ..Owner::this_process() };
        let mut record = record("bad", &run_dir, dead, false);
        record.resources = vec![Resource::EmbeddedCluster(other.clone()), Resource::KindCluster("prod".to_owned())];
        lease::write(&dir.path().join("bad.json"), &record).unwrap();
        let lines = sweep(&Launcher::light(false), dir.path(), false).await.unwrap();
        assert!(lines[0].ends_with("is not in the run's directory"), "{lines:?}");
        assert!(lines[1].ends_with("prod is not the name of a cluster that a run created"), "{lines:?}");
        assert!(other.exists());
    }
}
