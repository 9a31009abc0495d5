//! The context of a running case: the run, the time limit, and the deployed topology.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

use super::conclusion::Conclusion;
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::DeployedTopology;
use crate::run::Run;
use cluster::NotApplicable;
use cluster::lease::Change;
use events::CaseName;
use kubernetes::wait::Waiter;
use suite::{CaseSpec, Variant};

/// The part of a run's id in the names of records.
const UNIQUE_LENGTH: usize = 4;

/// The context of a running case.
pub struct CaseContext {
    /// The run.
    pub run: Arc<Run>,
    /// The case's name.
    pub name: CaseName,
    /// Waits within the case's time limit, and reports what it waits for.
    pub wait: Waiter,
    /// Index of its suite's topology among the run's variants.
    pub variant: Option<usize>,
    /// The case as listed in its topology.
    pub spec: CaseSpec,
    /// See [`CaseContext::own`].
    pub own: Mutex<Vec<DeployedRelease>>,
    /// See [`CaseContext::make`].
    pub changes: Mutex<Vec<Change>>,
}

impl CaseContext {
    /// Returns the releases that the case installed for itself and has not uninstalled yet.
    pub fn own(&self) -> MutexGuard<'_, Vec<DeployedRelease>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change outside of the run's own namespaces; returns the reason if this cluster can't make it. The change
    /// is undone when the case ends, or earlier.
    ///
    /// # Errors
    /// If the change fails.
    pub async fn make(&self, change: Change) -> anyhow::Result<Result<(), NotApplicable>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change.clone());
        self.run.cluster.make(&change).await
    }

    /// Undoes these changes, in reverse order. One that can't be undone is tried again when the case ends.
    ///
    /// # Errors
    /// The first that can't be undone; all others are undone.
    pub async fn undo(&self, changes: &[Change]) -> anyhow::Result<()> {
        let mut undone = Ok(());
        for change in changes.iter().rev() {
            let this = self.run.cluster.undo(change).await;
            if this.is_ok() {
                self.changes.lock().unwrap_or_else(PoisonError::into_inner).retain(|made| made != change);
            }
            undone = undone.and(this);
        }
        undone
    }

    /// Undoes all changes of [`CaseContext::make`], in reverse order.
    ///
    /// # Errors
    /// The first change that can't be undone; all others are undone.
    pub async fn undo_changes(&self) -> anyhow::Result<()> {
        let made = std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        let mut undone = Ok(());
        for change in made.iter().rev() {
            undone = undone.and(self.run.cluster.undo(change).await);
        }
        undone
    }

    /// Undoes the case's changes, and returns its result.
    ///
    /// # Errors
    /// The case's own error, or a change that can't be undone.
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

    /// Returns a short prefix for records that is unique to this case and run: part of the run's id, and the indices of the
    /// topology and of the case in it.
    pub fn unique(&self) -> String {
        let case = self.variant().map(|variant| &variant.topology.cases).ok();
        let index = case.and_then(|cases| cases.iter().position(|case| case.name == self.spec.name));
        let run: String = self.run.id.chars().take(UNIQUE_LENGTH).collect();
        format!("{run}-{}-{}", self.variant.unwrap_or_default(), index.unwrap_or_default())
    }

    /// Returns its suite and topology.
    ///
    /// # Errors
    /// If the case belongs to no topology.
    pub fn variant(&self) -> anyhow::Result<&Arc<Variant>> {
        let variant = self.variant.and_then(|index| self.run.subject.variants.get(index));
        variant.with_context(|| format!("case {} belongs to no topology", self.name))
    }

    /// Returns the number of replicas of the workload that it is about.
    ///
    /// # Errors
    /// If the topology is not deployed.
    pub fn replicas(&self) -> anyhow::Result<u32> {
        Ok(self.deployed()?.wanted())
    }

    /// Returns the deployed release that the case is about.
    ///
    /// # Errors
    /// If the release is not deployed.
    pub fn deployed_release<'a>(&self, deployed: &'a DeployedTopology) -> anyhow::Result<&'a DeployedRelease> {
        deployed.deployed_release(self.spec.release.as_deref())
    }

    /// Returns its parameters.
    ///
    /// # Errors
    /// If the suite has other parameters, which the loader rejects.
    pub fn with<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        self.spec.with().map_err(|error| anyhow!("the parameters of case {}: {error}", self.name))
    }

    /// Returns the deployed topology, about the case's workload.
    ///
    /// # Errors
    /// If the topology is not deployed.
    pub fn deployed(&self) -> anyhow::Result<Arc<DeployedTopology>> {
        let deployed = self.variant.and_then(|index| self.run.deployed(index));
        let deployed = deployed.with_context(|| format!("case {}: its topology is not deployed", self.name))?;
        Ok(Arc::new(deployed.about(self.spec.workload.as_deref())))
    }
}
