//! Executes statements. The leader runs each of them, including reads, regardless of which node received it.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::ServerState;
use openraft::error::{ClientWriteError, RaftError};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::faults::Fault;
use crate::jobs::{Command, Job, Jobs, Outcome, View, now_ms};
use crate::log;
use crate::node::Node;
use crate::raft::Metrics;
use crate::raft::network::connect;
use crate::raft::wire::{self, Answer, Envelope, Request};
use crate::roles;
use crate::statements::{Quorum, Reply, Statement};

/// The pause between two attempts if nothing signals when the next one could succeed.
const RETRY: Duration = Duration::from_millis(50);

impl Node {
    /// Runs a statement on the leader. It has no deadline: without a quorum it hangs.
    pub async fn run(&self, statement: Statement) -> Reply {
        let planted = self.stale(&statement).or_else(|| self.written_alone(&statement));
        if let Some(reply) = planted.or_else(|| self.kept_alone(&statement)) {
            return reply;
        }
        let mut metrics = self.raft.metrics();
        loop {
            let leader = leader(&mut metrics).await;
            let reply = match self.address_of(leader) {
                _ if leader == self.id => self.run_as_leader(statement.clone()).await,
                Some(address) => self.forward(leader, &address, &statement).await,
                None => Reply::NotLeader,
            };
            match reply {
                Reply::NotLeader => tokio::time::sleep(RETRY).await,
                done => return done,
            }
        }
    }

    /// Runs a statement here if this node leads.
    pub async fn run_as_leader(&self, statement: Statement) -> Reply {
        if self.raft.metrics().borrow().state != ServerState::Leader {
            return Reply::NotLeader;
        }
        match statement {
            Statement::Create(job) => self.create(job).await,
            Statement::Delete(key) => self.delete(&key).await,
            read if self.may_read().await => self.read(&read, self.view(Duration::ZERO)),
            _ => Reply::NotLeader,
        }
    }

    /// Returns whether a majority confirms that this node leads.
    async fn may_read(&self) -> bool {
        self.config.faults.has(Fault::UnconfirmedReads) || self.raft.ensure_linearizable().await.is_ok()
    }

    async fn forward(&self, leader: u64, address: &str, statement: &Statement) -> Reply {
        let Ok(mut stream) = self.connection(address, statement).await else { return Reply::NotLeader };
        let envelope = Envelope { to: Some(leader), request: Request::Run(statement.clone()) };
        let mut metrics = self.raft.metrics();
        let lost = tokio::select! {
            answer = wire::ask(&mut stream, &envelope) => match answer {
                Ok(Answer::Ran(reply)) => {
                    self.peers.keep(address.to_owned(), stream);
                    return reply;
                }
                Ok(_) => return Reply::NotLeader,
                Err(error) => error.to_string(),
            },
            _ = metrics.wait_for(|now| now.current_leader != Some(leader)) => "the leader changed".to_owned(),
        };
        if !statement.writes() {
            return Reply::NotLeader;
        }
        Reply::Unknown(format!("leadership lost while committing the write on {address}: {lost}"))
    }

    /// Opens a connection; a write needs a new one: if an old one breaks, it is unknown whether the write arrived.
    async fn connection(&self, address: &str, statement: &Statement) -> io::Result<TcpStream> {
        self.peers.reachable()?;
        if statement.writes() { connect(address).await } else { self.peers.connection(address).await }
    }

    async fn create(&self, job: Job) -> Reply {
        if self.has_jobs_for(Fault::StorageFull) {
            log::warn(format_args!("fault storage-full: job {} is refused", job.id));
            return Reply::Unknown("database or disk is full".to_owned());
        }
        if self.loses_this_write() {
            log::warn(format_args!("fault lost-acknowledged-write: job {} is acknowledged, not replicated", job.id));
            return Reply::Wrote(self.unreplicated().apply(Command::Create(job)));
        }
        match self.alone_after() {
            None => self.write(Command::Create(job)).await,
            Some(patience) => self.create_impatiently(job, patience).await,
        }
    }

    /// Returns after how long a write is acknowledged that no majority has, as planted.
    fn alone_after(&self) -> Option<Duration> {
        let faults = &self.config.faults;
        faults.after(Fault::AcknowledgesAlone).or_else(|| faults.after(Fault::SplitBrain))
    }

    async fn create_impatiently(&self, job: Job, patience: Duration) -> Reply {
        let written = tokio::time::timeout(patience, self.write(Command::Create(job.clone()))).await;
        written.unwrap_or_else(|_| {
            log::warn(format_args!("fault: job {} is acknowledged without a majority", job.id));
            Reply::Wrote(self.unreplicated().apply(Command::Create(job)))
        })
    }

    /// Returns a job that only this node has, if it keeps such jobs for good.
    fn kept_alone(&self, statement: &Statement) -> Option<Reply> {
        let Statement::Get(key) = statement else { return None };
        let found = self.unreplicated().find(key, View::default()).cloned();
        found.filter(|_| self.config.faults.has(Fault::SplitBrain)).map(|job| Reply::Job(Some(job)))
    }

    async fn delete(&self, key: &str) -> Reply {
        if self.raft.ensure_linearizable().await.is_err() {
            return Reply::NotLeader;
        }
        let id = |jobs: &Jobs| jobs.find(key, View::default()).map(|job| job.id.clone());
        let delete = |id| Command::Delete { id, at_ms: now_ms() };
        let (replicated, unreplicated) = (self.state.with_jobs(id), id(&self.unreplicated()));
        match (replicated, unreplicated) {
            (Some(id), _) => self.write(delete(id)).await,
            (None, Some(id)) => Reply::Wrote(self.unreplicated().apply(delete(id))),
            (None, None) => Reply::Wrote(Outcome::Absent),
        }
    }

    async fn write(&self, command: Command) -> Reply {
        match self.raft.client_write(command).await {
            Ok(response) => Reply::Wrote(response.data),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                Reply::Unknown("leadership lost while committing the write".to_owned())
            }
            Err(error) => Reply::Unknown(error.to_string()),
        }
    }

    fn read(&self, statement: &Statement, view: View) -> Reply {
        let extra = self.unreplicated();
        self.state.with_jobs(|jobs| match statement {
            Statement::Get(key) => Reply::Job(jobs.find(key, view).or_else(|| extra.find(key, view)).cloned()),
            Statement::List => Reply::Jobs(list(jobs, &extra, view)),
            Statement::Quorum => Reply::Quorum(self.quorum()),
            _ => Reply::Pong,
        })
    }

    fn view(&self, lag: Duration) -> View {
        View { lag, resurrect_after: self.config.faults.after(Fault::ResurrectDeleted) }
    }

    /// Returns how long ago the node fell asleep as a leader, if a planted fault lets it go on as one.
    fn slept_ago(&self, fault: Fault) -> Option<Duration> {
        self.old_leader.slept_ago(self.config.faults.after(fault)?)
    }

    /// Returns the result of a planted write of a leader that slept.
    fn written_alone(&self, statement: &Statement) -> Option<Reply> {
        let Statement::Create(job) = statement else { return None };
        self.slept_ago(Fault::OldLeaderWrites)?;
        Some(Reply::Wrote(self.unreplicated().apply(Command::Create(job.clone()))))
    }

    /// Returns the result of a planted stale read.
    fn stale(&self, statement: &Statement) -> Option<Reply> {
        let lag = self.config.faults.after(Fault::StaleRead).or_else(|| self.slept_ago(Fault::OldLeaderReads))?;
        matches!(statement, Statement::Get(_) | Statement::List).then(|| self.read(statement, self.view(lag)))
    }

    fn loses_this_write(&self) -> bool {
        let every = self.config.faults.count(Fault::LostAcknowledgedWrite);
        every.is_some_and(|every| (self.creations.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every.max(1)))
    }

    fn quorum(&self) -> Quorum {
        let members = self.members();
        let voters = members.iter().filter(|member| member.role == roles::Role::Voter);
        Quorum {
            total_voters: voters.clone().count(),
            reachable_voters: voters.filter(|member| member.online).count(),
            leader_address: self.config.node_address.to_string(),
        }
    }
}

fn list(jobs: &Jobs, extra: &Jobs, view: View) -> Vec<Job> {
    jobs.all(view).chain(extra.all(view)).cloned().collect()
}

async fn leader(metrics: &mut watch::Receiver<Metrics>) -> u64 {
    loop {
        let known = metrics.wait_for(|metrics| metrics.current_leader.is_some()).await.ok();
        match known.and_then(|metrics| metrics.current_leader) {
            Some(leader) => return leader,
            None => std::future::pending().await,
        }
    }
}
