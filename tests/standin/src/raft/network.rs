//! openraft's connections to the other nodes, and their addresses.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use tokio::net::TcpStream;

use super::state_machine::StateMachine;
use super::wire::{self, Answer, Envelope, Request};
use super::{Member, Types};
use crate::jobs::Jobs;

/// The timeout of a connection attempt.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// A name that every cluster's name server knows.
const CLUSTER_NAME: &str = "kubernetes.default.svc:443";

/// How many connections are kept to one address.
const IDLE_MAX: usize = 16;

/// What this node knows about the others besides the replicated membership.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    announced: HashMap<u64, Announced>,
    contacts: HashMap<u64, Instant>,
    idle: HashMap<String, Vec<TcpStream>>,
    /// The planted isolation: this node's data, and the number of jobs in it that cuts the node off.
    isolation: Option<(StateMachine, usize)>,
    /// The planted deafness.
    deafness: Option<Deafness>,
    /// The planted need of a name server.
    looks_names_up: bool,
}

/// Deafness after a silence of the others.
#[derive(Debug)]
struct Deafness {
    after: Duration,
    heard: Instant,
    is_deaf: bool,
}

/// An address that a node announced, ahead of the membership.
#[derive(Debug)]
struct Announced {
    address: String,
    /// The address in the membership at that time; once that changes, the announcement is outdated.
    instead_of: String,
}

impl Peers {
    fn locked(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends and accepts nothing once there are this many jobs. The data itself is checked, so that a leader is cut off
    /// before it acknowledges the job that does it.
    pub fn cut_off_at(&self, jobs: usize, state: StateMachine) {
        self.locked().isolation = Some((state, jobs));
    }

    /// Sends and accepts nothing any more after a silence of the others that is longer than this.
    pub fn deafen_after(&self, silence: Duration) {
        self.locked().deafness = Some(Deafness { after: silence, heard: Instant::now(), is_deaf: false });
    }

    /// Looks a name up before each message.
    pub fn look_names_up(&self) {
        self.locked().looks_names_up = true;
    }

    /// Notes that another node sent a Raft message.
    pub fn hear(&self) {
        if let Some(deafness) = &mut self.locked().deafness {
            deafness.is_deaf |= deafness.heard.elapsed() > deafness.after;
            deafness.heard = Instant::now();
        }
    }

    /// Returns an error if this node is cut off.
    pub fn reachable(&self) -> io::Result<()> {
        let known = self.locked();
        match &known.isolation {
            Some((state, most)) if state.with_jobs(Jobs::count) >= *most => {
                Err(io::Error::other("fault isolated: cut off from the others"))
            }
            _ if known.deafness.as_ref().is_some_and(|deafness| deafness.is_deaf) => {
                Err(io::Error::other("fault never-catches-up: deaf to the others"))
            }
            _ => Ok(()),
        }
    }

    async fn named(&self) -> io::Result<()> {
        if !self.locked().looks_names_up {
            return Ok(());
        }
        match tokio::time::timeout(CONNECT_MAX, tokio::net::lookup_host(CLUSTER_NAME)).await {
            Ok(found) => found.map(drop),
            Err(_) => Err(io::Error::other("fault needs-dns: no name server responds")),
        }
    }

    /// Records that a member has another address than in the membership.
    pub fn announce(&self, id: u64, member: &Member, address: &str) {
        let announced = Announced { address: address.to_owned(), instead_of: member.address.clone() };
        self.locked().announced.insert(id, announced);
    }

    /// Returns the address of a member.
    pub fn address(&self, id: u64, member: &Member) -> String {
        let known = self.locked();
        let announced = known.announced.get(&id).filter(|announced| announced.instead_of == member.address);
        announced.map_or(&member.address, |announced| &announced.address).clone()
    }

    /// Returns whether a member recently responded to this node's replication. Only the leader replicates.
    pub fn answered_within(&self, id: u64, age_max: Duration) -> bool {
        self.locked().contacts.get(&id).is_some_and(|at| at.elapsed() <= age_max)
    }

    fn answered(&self, id: u64) {
        self.locked().contacts.insert(id, Instant::now());
    }

    /// Returns an idle connection that is still open, or a new one.
    pub async fn connection(&self, address: &str) -> io::Result<TcpStream> {
        self.reachable()?;
        self.named().await?;
        match self.idle(address) {
            Some(stream) => Ok(stream),
            None => connect(address).await,
        }
    }

    fn idle(&self, address: &str) -> Option<TcpStream> {
        let mut known = self.locked();
        let idle = known.idle.get_mut(address)?;
        let is_open = |stream: &TcpStream| matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        std::iter::from_fn(|| idle.pop()).find(is_open)
    }

    /// Returns a connection to the pool after a complete exchange.
    pub fn keep(&self, address: String, stream: TcpStream) {
        let mut known = self.locked();
        let idle = known.idle.entry(address).or_default();
        if idle.len() < IDLE_MAX {
            idle.push(stream);
        }
    }
}

/// Connects to a node; returns an error if it can't be reached.
pub async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// openraft's factory of links.
#[derive(Debug)]
pub struct Network {
    /// Shared with the rest of the node.
    pub peers: Peers,
    /// The pause between two attempts to reach a node.
    pub backoff: Duration,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, node: &Member) -> Link {
        Link { target, member: node.clone(), peers: self.peers.clone(), backoff: self.backoff }
    }
}

/// The link to one node.
#[derive(Debug)]
pub struct Link {
    target: u64,
    member: Member,
    peers: Peers,
    backoff: Duration,
}

type Failed<E = RaftError<u64>> = RPCError<u64, Member, E>;

impl Link {
    /// Sends a request; a connection that is abandoned half-way is not kept.
    async fn ask(&self, request: Request) -> io::Result<Answer> {
        let address = self.peers.address(self.target, &self.member);
        let mut stream = self.peers.connection(&address).await?;
        let answer = wire::ask(&mut stream, &Envelope { to: Some(self.target), request }).await?;
        if let Answer::WrongNode(id) = answer {
            return Err(io::Error::other(format!("{address} is node {id} now, not node {}", self.target)));
        }
        self.peers.keep(address, stream);
        self.peers.answered(self.target);
        Ok(answer)
    }

    fn remote<T, E: std::error::Error>(&self, result: Result<T, E>) -> Result<T, Failed<E>> {
        result.map_err(|error| RPCError::RemoteError(RemoteError::new(self.target, error)))
    }
}

fn unreachable<E: std::error::Error>(error: &io::Error) -> Failed<E> {
    RPCError::Unreachable(Unreachable::new(error))
}

fn unexpected<E: std::error::Error>(answer: &Answer) -> Failed<E> {
    unreachable(&io::Error::other(format!("unexpected response {answer:?}")))
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failed> {
        match self.ask(Request::Append(rpc)).await.map_err(|error| unreachable(&error))? {
            Answer::Append(result) => self.remote(result),
            other => Err(unexpected(&other)),
        }
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failed<RaftError<u64, InstallSnapshotError>>> {
        match self.ask(Request::Snapshot(rpc)).await.map_err(|error| unreachable(&error))? {
            Answer::Snapshot(result) => self.remote(result),
            other => Err(unexpected(&other)),
        }
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, _option: RPCOption) -> Result<VoteResponse<u64>, Failed> {
        match self.ask(Request::Vote(rpc)).await.map_err(|error| unreachable(&error))? {
            Answer::Vote(result) => self.remote(result),
            other => Err(unexpected(&other)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.backoff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_address_is_used_until_the_membership_changes() {
        let peers = Peers::default();
        let member = |address: &str| Member { address: address.to_owned(), standby: false };
        assert_eq!(peers.address(1, &member("old:1")), "old:1");
        peers.announce(1, &member("old:1"), "new:1");
        assert_eq!(peers.address(1, &member("old:1")), "new:1");
        assert_eq!(peers.address(1, &member("newer:1")), "newer:1");
        assert_eq!(peers.address(2, &member("old:2")), "old:2");
    }
}
