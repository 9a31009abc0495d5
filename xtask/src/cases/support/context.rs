//! What a case is given: the run, the case's time, and the topology's place in the cluster.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

use super::conclusion::Conclusion;
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::DeployedTopology;
use crate::run::Run;
use cluster::lease::Change;
use events::CaseName;
use kubernetes::wait::Waiter;
use suite::{CaseSpec, Variant};

/// A case that runs.
pub struct CaseContext {
    /// The run.
    pub run: Arc<Run>,
    /// The case's name.
    pub name: CaseName,
    /// The case's time, and where it says what it waits for.
    pub wait: Waiter,
    /// Index of its suite's topology among the run's variants.
    pub variant: Option<usize>,
    /// As its topology lists it.
    pub spec: CaseSpec,
    /// See [`CaseContext::own`].
    pub own: Mutex<Vec<DeployedRelease>>,
    /// See [`CaseContext::make`].
    pub changes: Mutex<Vec<Change>>,
}

impl CaseContext {
    /// The releases that it made for itself, as long as they are there.
    pub fn own(&self) -> MutexGuard<'_, Vec<DeployedRelease>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something outside of the run's own namespaces; returns false where nothing reaches it. However the case
    /// ends, it is undone then at the latest.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn make(&self, change: Change) -> anyhow::Result<bool> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change.clone());
        self.run.cluster.make(&change).await
    }

    /// Undoes all that [`CaseContext::make`] changed, the last first.
    ///
    /// # Errors
    /// The first that can't be undone; all others are.
    pub async fn undo_changes(&self) -> anyhow::Result<()> {
        let made = std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        let mut undone = Ok(());
        for change in made.iter().rev() {
            undone = undone.and(self.run.cluster.undo(change).await);
        }
        undone
    }

    /// How the case ended, once what it changed is undone.
    ///
    /// # Errors
    /// As it ended, or what can't be undone.
    pub async fn undone(&self, ended: anyhow::Result<Conclusion>) -> anyhow::Result<Conclusion> {
        match (ended, self.undo_changes().await) {
            (Ok(_), Err(left)) => Err(left),
            (Err(error), Err(left)) => {
                self.run.events.note(format!("{}: {left:#}", self.name));
                Err(error)
            }
            (ended, Ok(())) => ended,
        }
    }

    /// A prefix for what this case makes, which no other case of any run has.
    pub fn unique(&self) -> String {
        let parts: Vec<_> = self.name.split("::").skip(1).collect();
        format!("{}-{}", self.run.id, parts.join("-").replace('_', "-"))
    }

    /// Its suite and topology.
    ///
    /// # Errors
    /// Where the case belongs to none.
    pub fn variant(&self) -> anyhow::Result<&Arc<Variant>> {
        let variant = self.variant.and_then(|index| self.run.subject.variants.get(index));
        variant.with_context(|| format!("case {} belongs to no topology", self.name))
    }

    /// How many replicas its topology has.
    ///
    /// # Errors
    /// As [`CaseContext::variant`].
    pub fn replicas(&self) -> anyhow::Result<u32> {
        Ok(self.variant()?.topology.replicas)
    }

    /// The release that it is about, in its place.
    ///
    /// # Errors
    /// Where it is not deployed.
    pub fn deployed_release<'a>(&self, deployed: &'a DeployedTopology) -> anyhow::Result<&'a DeployedRelease> {
        deployed.deployed_release(self.spec.release.as_deref())
    }

    /// Its parameters.
    ///
    /// # Errors
    /// Where the suite gives others; that is checked when it is read.
    pub fn with<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        self.spec.with().map_err(|error| anyhow!("the parameters of case {}: {error}", self.name))
    }

    /// The topology's place in the cluster.
    ///
    /// # Errors
    /// Where it is not installed.
    pub fn deployed(&self) -> anyhow::Result<Arc<DeployedTopology>> {
        let deployed = self.variant.and_then(|index| self.run.deployed(index));
        deployed.with_context(|| format!("case {}: its topology is not installed", self.name))
    }
}
