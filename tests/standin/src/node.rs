//! A node: its parts, and how it starts and ends.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use openraft::SnapshotPolicy;

use crate::config::{Config, Timing};
use crate::faults::Fault;
use crate::identity::Identity;
use crate::jobs::Jobs;
use crate::old_leader::OldLeader;
use crate::raft::Raft;
use crate::raft::log_store::LogStore;
use crate::raft::network::{Network, Peers};
use crate::raft::state_machine::StateMachine;

/// A running node.
pub struct Node {
    /// Its id.
    pub id: u64,
    /// Its configuration.
    pub config: Config,
    /// Its identity, from its data directory.
    pub identity: Identity,
    /// Its Raft.
    pub raft: Raft,
    /// Its copy of the data.
    pub state: StateMachine,
    /// What it knows about the others.
    pub peers: Peers,
    /// Changes of the membership happen one at a time.
    pub changing: tokio::sync::Mutex<()>,
    /// How many new jobs there were, for the fault that loses some.
    pub creations: AtomicUsize,
    /// When the process started.
    pub started: Instant,
    /// For the faults of a leader that slept.
    pub old_leader: OldLeader,
    unreplicated: Mutex<Jobs>,
}

impl Node {
    /// Opens its log and its database, if they exist.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let identity = Identity::open(&config)?;
        let (log_store, state) =
            (LogStore::open(&config.path, identity.id, &config.faults)?, StateMachine::open(&config.path)?);
        let peers = Peers::default();
        if let Some(jobs) = config.faults.count(Fault::Isolated) {
            peers.cut_off_at(jobs, state.clone());
        }
        if let Some(silence) = config.faults.after(Fault::NeverCatchesUp) {
            peers.deafen_after(silence);
        }
        if config.faults.has(Fault::NeedsDns) {
            peers.look_names_up();
        }
        let network = Network { peers: peers.clone(), backoff: config.timing.heartbeat / 2 };
        let settings = Arc::new(settings(config.timing, config.snapshot_entries).validate()?);
        let raft = Raft::new(identity.id, settings, network, log_store, state.clone()).await?;
        Ok(Arc::new(Self {
            id: identity.id,
            config,
            identity,
            raft,
            state,
            peers,
            changing: tokio::sync::Mutex::default(),
            creations: AtomicUsize::new(0),
            started: Instant::now(),
            old_leader: OldLeader::default(),
            unreplicated: Mutex::default(),
        }))
    }

    /// Returns whether there are as many jobs as a planted fault needs.
    pub fn has_jobs_for(&self, fault: Fault) -> bool {
        self.config.faults.count(fault).is_some_and(|most| self.state.with_jobs(Jobs::count) >= most)
    }

    /// Returns the jobs that a planted fault keeps from being replicated.
    pub fn unreplicated(&self) -> MutexGuard<'_, Jobs> {
        self.unreplicated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// openraft waits for its lease and then for an election timeout between min and max, and its lease is max: in total a
/// follower stands for election 1 to 1 1/3 election timeouts after the last heartbeat.
fn settings(timing: Timing, snapshot_entries: u64) -> openraft::Config {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    openraft::Config {
        cluster_name: "caesium".to_owned(),
        heartbeat_interval: ms(timing.heartbeat),
        election_timeout_min: ms(timing.election / 3),
        election_timeout_max: ms(timing.election * 2 / 3),
        install_snapshot_timeout: 10_000,
        snapshot_max_chunk_size: 256 << 10,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(snapshot_entries),
        replication_lag_threshold: snapshot_entries * 2,
        max_in_snapshot_log_to_keep: snapshot_entries / 10,
        ..openraft::Config::default()
    }
}
