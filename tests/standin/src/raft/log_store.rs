//! openraft's log and vote, in memory for reading and on disk for durability.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{
    AnyError, Entry, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftLogReader, StorageIOError, Vote,
};

use super::log_file::{LogFile, Record};
use super::{LogId, StorageError, Types};
use crate::faults::{Fault, Faults};
use crate::files;

/// The log and the vote of one node.
#[derive(Clone, Debug)]
pub struct LogStore(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    entries: BTreeMap<u64, Entry<Types>>,
    purged: Option<LogId>,
    file: LogFile,
    vote: Option<Vote<u64>>,
    vote_path: PathBuf,
    faults: Faults,
}

impl Inner {
    fn replay(&mut self, record: Record) {
        match record {
            Record::Append(entry) => drop(self.entries.insert(entry.log_id.index, entry)),
            Record::Truncate(from) => drop(self.entries.split_off(&from)),
            Record::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(upto);
            }
        }
    }

    fn append(&mut self, records: Vec<Record>) -> io::Result<()> {
        let synced = !self.faults.has(Fault::ForgetsFsync) || !records.iter().all(is_job);
        if let Err(error) = self.file.append(&records, synced) {
            if self.faults.has(Fault::DamagedWhenFull) {
                self.file.damage();
            }
            return Err(error);
        }
        for record in records {
            self.replay(record);
        }
        Ok(())
    }

    /// Purges entries, and drops the void records from the file.
    fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.replay(Record::Purge(upto));
        let entries = self.entries.values().cloned().map(Record::Append);
        self.file.rewrite(&[Record::Purge(upto)].into_iter().chain(entries).collect::<Vec<_>>())
    }

    fn save_vote(&mut self, vote: Vote<u64>) -> io::Result<()> {
        files::replace(&self.vote_path, &serde_json::to_vec(&vote)?)?;
        self.vote = Some(vote);
        Ok(())
    }
}

impl LogStore {
    /// Opens the log and the vote in a node's data directory.
    pub fn open(dir: &Path, id: u64, faults: &Faults) -> Result<Self> {
        let (file, records) = LogFile::open(&dir.join("log"))?;
        let vote_path = dir.join("vote.json");
        let vote = files::read(&vote_path)?.map(|content| serde_json::from_slice(&content)).transpose();
        let vote = vote.with_context(|| format!("vote {} is damaged", vote_path.display()))?;
        let vote = vote.map(|vote| not_leading(vote, id));
        let mut inner = Inner { entries: BTreeMap::new(), purged: None, file, vote, vote_path, faults: faults.clone() };
        for record in records {
            inner.replay(record);
        }
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a write that waits for the disk, without blocking other tasks.
    fn on_disk(&self, subject: ErrorSubject<u64>, write: impl FnOnce(&mut Inner) -> io::Result<()>) -> Written {
        let written = tokio::task::block_in_place(|| write(&mut self.locked()));
        written.map_err(|error| StorageIOError::new(subject, ErrorVerb::Write, AnyError::new(&error)).into())
    }
}

/// openraft lets a restarted leader continue to lead. dqlite doesn't: it restarts as a follower, and so does this node,
/// because it only remembers that it voted for itself.
fn not_leading(vote: Vote<u64>, id: u64) -> Vote<u64> {
    let leader = vote.leader_id().voted_for();
    if leader == Some(id) { Vote::new(vote.leader_id().get_term(), id) } else { vote }
}

fn is_job(record: &Record) -> bool {
    matches!(record, Record::Append(entry) if matches!(entry.payload, EntryPayload::Normal(_)))
}

type Written = Result<(), StorageError>;

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<Types>>, StorageError> {
        Ok(self.locked().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let inner = self.locked();
        let last = inner.entries.values().next_back().map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id: inner.purged, last_log_id: last.or(inner.purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Written {
        self.on_disk(ErrorSubject::Vote, |inner| inner.save_vote(*vote))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError> {
        Ok(self.locked().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Written
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records = entries.into_iter().map(Record::Append).collect();
        self.on_disk(ErrorSubject::Logs, |inner| inner.append(records))?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Written {
        self.on_disk(ErrorSubject::Logs, |inner| inner.append(vec![Record::Truncate(log_id.index)]))
    }

    async fn purge(&mut self, log_id: LogId) -> Written {
        self.on_disk(ErrorSubject::Logs, |inner| inner.purge(log_id))
    }
}
