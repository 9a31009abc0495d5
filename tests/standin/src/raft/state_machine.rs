//! openraft's state machine: the jobs in memory, and their last snapshot on disk.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::{Context as _, Result};
use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{
    AnyError, Entry, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, SnapshotMeta,
    StorageIOError, StoredMembership,
};
use serde::{Deserialize, Serialize};

use super::{LogId, Member, StorageError, Types};
use crate::files;
use crate::jobs::{Jobs, Outcome};

/// The applied state of one node.
#[derive(Clone, Debug)]
pub struct StateMachine {
    inner: Arc<RwLock<Applied>>,
    path: PathBuf,
}

#[derive(Debug, Default)]
struct Applied {
    jobs: Jobs,
    last: Option<LogId>,
    membership: StoredMembership<u64, Member>,
    snapshot: Option<Stored>,
}

/// The file that holds a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    meta: SnapshotMeta<u64, Member>,
    jobs: Jobs,
}

impl StateMachine {
    /// Opens the last snapshot in a data directory.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("snapshot.json");
        let mut applied = Applied::default();
        if let Some(content) = files::read(&path)? {
            let stored = serde_json::from_slice(&content);
            applied.restore(stored.with_context(|| format!("snapshot {} is damaged", path.display()))?);
        }
        Ok(Self { inner: Arc::new(RwLock::new(applied)), path })
    }

    /// Reads the jobs in this node's state.
    pub fn with_jobs<T>(&self, read: impl FnOnce(&Jobs) -> T) -> T {
        read(&self.read().jobs)
    }

    fn read(&self) -> RwLockReadGuard<'_, Applied> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Applied> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, stored: &Stored) -> Result<(), StorageError> {
        let write = || files::replace(&self.path, &serde_json::to_vec(stored)?);
        tokio::task::block_in_place(write).map_err(|error| storage(ErrorVerb::Write, &error))
    }
}

impl Applied {
    fn restore(&mut self, stored: Stored) {
        self.jobs = stored.jobs.clone();
        self.last = stored.meta.last_log_id;
        self.membership = stored.meta.last_membership.clone();
        self.snapshot = Some(stored);
    }

    fn apply(&mut self, entry: Entry<Types>) -> Outcome {
        self.last = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Outcome::Done,
            EntryPayload::Normal(command) => self.jobs.apply(command),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                Outcome::Done
            }
        }
    }

    fn to_stored(&self) -> Stored {
        let snapshot_id = self.last.map_or_else(|| "empty".to_owned(), |last| last.to_string());
        let meta = SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone(), snapshot_id };
        Stored { meta, jobs: self.jobs.clone() }
    }
}

fn storage(verb: ErrorVerb, error: &io::Error) -> StorageError {
    StorageIOError::new(ErrorSubject::Snapshot(None), verb, AnyError::new(error)).into()
}

fn snapshot(stored: &Stored) -> Result<Snapshot<Types>, StorageError> {
    let jobs = serde_json::to_vec(&stored.jobs).map_err(|error| storage(ErrorVerb::Read, &error.into()))?;
    Ok(Snapshot { meta: stored.meta.clone(), snapshot: Box::new(Cursor::new(jobs)) })
}

impl RaftSnapshotBuilder<Types> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let stored = self.read().to_stored();
        self.store(&stored)?;
        let built = snapshot(&stored);
        self.write().snapshot = Some(stored);
        built
    }
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership<u64, Member>), StorageError> {
        let applied = self.read();
        Ok((applied.last, applied.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut applied = self.write();
        Ok(entries.into_iter().map(|entry| applied.apply(entry)).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, Member>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let jobs = serde_json::from_slice(snapshot.get_ref());
        let jobs = jobs.map_err(|error| storage(ErrorVerb::Read, &error.into()))?;
        let stored = Stored { meta: meta.clone(), jobs };
        self.store(&stored)?;
        self.write().restore(stored);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        self.read().snapshot.as_ref().map(snapshot).transpose()
    }
}
