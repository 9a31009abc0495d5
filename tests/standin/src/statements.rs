//! Statements to the database, and their results.

use serde::{Deserialize, Serialize};

use crate::jobs::{Job, Outcome};

/// A statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Statement {
    /// `SELECT 1`.
    Ping,
    /// The cluster as the leader sees it.
    Quorum,
    /// A job by its id or a prefix of it.
    Get(String),
    /// All jobs.
    List,
    /// Stores a job.
    Create(Job),
    /// Deletes a job by its id or a prefix of it.
    Delete(String),
}

impl Statement {
    /// Returns whether it changes the database.
    pub fn writes(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Delete(_))
    }
}

/// The result of a statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// To a ping.
    Pong,
    /// To a query of the quorum.
    Quorum(Quorum),
    /// To a get.
    Job(Option<Job>),
    /// To a list.
    Jobs(Vec<Job>),
    /// To a write.
    Wrote(Outcome),
    /// Nothing was done: this node doesn't lead.
    NotLeader,
    /// A write was started, and it is unknown whether it took effect.
    Unknown(String),
}

/// The voters, as the leader sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quorum {
    /// Voters in the membership.
    pub total_voters: usize,
    /// How many of them respond.
    pub reachable_voters: usize,
    /// The leader's Raft address.
    pub leader_address: String,
}
