//! Raft: openraft's types for this application, its storage and its network.
#![expect(clippy::result_large_err, reason = "openraft's traits return its large errors as they are")]

pub mod log_file;
pub mod log_store;
pub mod network;
pub mod state_machine;
#[cfg(test)]
mod storage_tests;
pub mod wire;

use std::io::Cursor;

use serde::{Deserialize, Serialize};

use crate::jobs::{Command, Outcome};

/// A member of the cluster, voter or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its Raft address, `ip:port`.
    pub address: String,
    /// For a member that doesn't vote: whether it is a standby rather than a spare.
    pub standby: bool,
}

openraft::declare_raft_types!(
    /// openraft's types for this application.
    pub Types:
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = Member,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
);

/// The running Raft node.
pub type Raft = openraft::Raft<Types>;
/// Its metrics.
pub type Metrics = openraft::RaftMetrics<u64, Member>;
/// A failure of its storage.
pub type StorageError = openraft::StorageError<u64>;
/// The position of an entry.
pub type LogId = openraft::LogId<u64>;
