//! openraft's own test suite for the storage, and restarts.

use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, Entry, EntryPayload, RaftLogReader as _, Vote};
use tempfile::TempDir;

use super::log_store::LogStore;
use super::state_machine::StateMachine;
use super::{LogId, StorageError, Types};
use crate::faults::Faults;

const ID: u64 = 7;

struct Fresh;

impl StoreBuilder<Types, LogStore, StateMachine, TempDir> for Fresh {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let (log, state) =
            (LogStore::open(dir.path(), ID, &Faults::default()).unwrap(), StateMachine::open(dir.path()).unwrap());
        Ok((dir, log, state))
    }
}

#[test]
fn openrafts_suite_passes() {
    Suite::test_all(Fresh).unwrap();
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, ID), index)
}

fn entries(indexes: std::ops::Range<u64>) -> Vec<Entry<Types>> {
    indexes.map(|index| Entry { log_id: log_id(index), payload: EntryPayload::Blank }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restart_restores_appended_truncated_and_purged_entries() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(dir.path(), ID, &Faults::default()).unwrap();
    log.blocking_append(entries(1..20)).await.unwrap();
    log.truncate(log_id(15)).await.unwrap();
    log.purge(log_id(4)).await.unwrap();
    log.blocking_append(entries(15..17)).await.unwrap();
    drop(log);
    let mut log = LogStore::open(dir.path(), ID, &Faults::default()).unwrap();
    assert_eq!(log.try_get_log_entries(0..99).await.unwrap(), entries(5..17));
    let state = log.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(4)), Some(log_id(16))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restarted_leader_remembers_its_vote_but_does_not_lead() {
    for (voted_for, committed) in [(ID, false), (ID + 1, true)] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogStore::open(dir.path(), ID, &Faults::default()).unwrap();
        log.save_vote(&Vote::new_committed(3, voted_for)).await.unwrap();
        let vote = LogStore::open(dir.path(), ID, &Faults::default()).unwrap().read_vote().await.unwrap().unwrap();
        assert_eq!((vote.leader_id().voted_for(), vote.committed), (Some(voted_for), committed));
    }
}
