//! The membership: new members, changed addresses, roles. The leader makes the changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use openraft::{ChangeMembers, ServerState};

use crate::log;
use crate::node::Node;
use crate::raft::network::connect;
use crate::raft::wire::{self, Answer, Envelope, Request};
use crate::raft::{Member, Metrics};
use crate::roles::{self, Role, Seen};

/// How long a change may take to be committed.
const CHANGE_MAX: Duration = Duration::from_secs(10);
const ANNOUNCE_EVERY: Duration = Duration::from_millis(500);
const ANNOUNCE_PAUSE: Duration = Duration::from_millis(100);

impl Node {
    /// Returns the members as this node sees them; only the leader knows whether they respond.
    pub fn members(&self) -> Vec<Seen> {
        let metrics = self.raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let seen = |(id, member): (&u64, &Member)| Seen {
            id: *id,
            address: self.peers.address(*id, member),
            role: role(voters.contains(id), member),
            online: *id == self.id || self.peers.answered_within(*id, self.config.timing.election),
        };
        membership.nodes().map(seen).collect()
    }

    /// Returns the address of a member.
    pub fn address_of(&self, id: u64) -> Option<String> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let member = metrics.membership_config.membership().get_node(&id)?;
        Some(self.peers.address(id, member))
    }

    fn leads(&self) -> bool {
        self.raft.metrics().borrow().state == ServerState::Leader
    }

    /// Admits a new member as a spare.
    pub async fn admit(self: &Arc<Self>, id: u64, address: &str) -> Answer {
        if !self.leads() {
            let leader = self.raft.metrics().borrow().current_leader;
            return Answer::AskLeader(leader.and_then(|leader| self.address_of(leader)));
        }
        let member = Member { address: address.to_owned(), standby: false };
        match self.change(ChangeMembers::AddNodes(BTreeMap::from([(id, member)]))).await {
            Ok(()) => {
                log::info(format_args!("node {id} at {address} joined as spare"));
                tokio::spawn(promote_newcomer(self.clone(), id));
                Answer::Joined
            }
            Err(error) => Answer::Failed(format!("not admitted: {error}")),
        }
    }

    /// Records the new address of a member, ahead of the membership.
    pub fn note_address(&self, id: u64, address: &str) -> Answer {
        let metrics = self.raft.metrics().borrow().clone();
        if let Some(member) = metrics.membership_config.membership().get_node(&id) {
            if self.peers.address(id, member) != address {
                log::info(format_args!("node {id} announces {address} instead of {}", member.address));
            }
            self.peers.announce(id, member, address);
        }
        Answer::Noted
    }

    async fn change(&self, change: ChangeMembers<u64, Member>) -> Result<()> {
        let _one_at_a_time = self.changing.lock().await;
        tokio::time::timeout(CHANGE_MAX, self.raft.change_membership(change, true)).await??;
        Ok(())
    }

    async fn assign(&self, id: u64, role: Role) -> Result<()> {
        let ids = BTreeSet::from([id]);
        let Some(now) = self.members().into_iter().find(|member| member.id == id) else { return Ok(()) };
        match (now.role, role) {
            (Role::Voter, Role::Voter) => return Ok(()),
            (_, Role::Voter) => self.change(ChangeMembers::AddVoterIds(ids)).await?,
            (Role::Voter, _) => self.change(ChangeMembers::RemoveVoters(ids)).await?,
            _ => {}
        }
        let member = Member { address: now.address, standby: role == Role::Standby };
        if member.standby || now.role == Role::Standby {
            self.change(ChangeMembers::SetNodes(BTreeMap::from([(id, member)]))).await?;
        }
        log::info(format_args!("node {id} is {} now", role.name()));
        Ok(())
    }
}

fn role(voter: bool, member: &Member) -> Role {
    match (voter, member.standby) {
        (true, _) => Role::Voter,
        (false, true) => Role::Standby,
        (false, false) => Role::Spare,
    }
}

/// Gives a new member its role once it has the data. If this fails, the cycle does it later.
async fn promote_newcomer(node: Arc<Node>, id: u64) {
    let has_data = |metrics: &Metrics| {
        let matched = metrics.replication.as_ref().and_then(|progress| progress.get(&id).copied().flatten());
        matched.map(|log_id| log_id.index) >= metrics.last_applied.map(|log_id| log_id.index)
    };
    let _ = node.raft.wait(Some(CHANGE_MAX)).metrics(has_data, "the new member has the data").await;
    for (id, role) in roles::after_join(&node.members(), id) {
        if let Err(error) = node.assign(id, role).await {
            log::warn(format_args!("node {id} is not {} yet: {error}", role.name()));
        }
    }
}

/// On each cycle, if this node leads: demotes dead members, promotes others instead.
pub async fn keep_roles(node: Arc<Node>) {
    let mut cycle = tokio::time::interval(node.config.timing.roles_cycle);
    cycle.tick().await;
    loop {
        cycle.tick().await;
        if led_for(&node, node.config.timing.election).await {
            adjust_roles(&node).await;
        }
    }
}

/// Returns whether this node leads, and continues to for this long: by then it knows who responds.
async fn led_for(node: &Node, time: Duration) -> bool {
    let mut metrics = node.raft.metrics();
    node.leads() && tokio::time::timeout(time, metrics.wait_for(|m| m.state != ServerState::Leader)).await.is_err()
}

async fn adjust_roles(node: &Node) {
    while let Some((id, role)) = roles::adjust(&node.members(), node.id) {
        if let Err(error) = node.assign(id, role).await {
            return log::warn(format_args!("node {id} is not {} yet: {error}", role.name()));
        }
    }
}

/// Handles changed addresses: a leader puts them into the membership; another node announces its own to the others, and
/// to the leader those that it was notified of.
pub async fn keep_addresses(node: Arc<Node>) {
    let mut metrics = node.raft.metrics();
    loop {
        for (id, member) in moved(&node) {
            if node.leads() {
                commit_address(&node, id, member).await;
            } else {
                announce(&node, id, &member.address).await;
            }
        }
        let _ = tokio::time::timeout(ANNOUNCE_EVERY, metrics.changed()).await;
    }
}

/// Returns the members whose address differs from the one in the membership.
fn moved(node: &Node) -> Vec<(u64, Member)> {
    let metrics = node.raft.metrics().borrow().clone();
    let own = node.config.node_address.to_string();
    let current = |(id, member): (&u64, &Member)| {
        let address = if *id == node.id { own.clone() } else { node.peers.address(*id, member) };
        (address != member.address).then(|| (*id, Member { address, ..member.clone() }))
    };
    metrics.membership_config.membership().nodes().filter_map(current).collect()
}

async fn commit_address(node: &Node, id: u64, member: Member) {
    let address = member.address.clone();
    match node.change(ChangeMembers::SetNodes(BTreeMap::from([(id, member)]))).await {
        Ok(()) => log::info(format_args!("node {id} is at {address} now")),
        Err(error) => log::warn(format_args!("node {id} is not at {address} yet: {error}")),
    }
}

async fn announce(node: &Node, id: u64, address: &str) {
    let leader = node.raft.metrics().borrow().current_leader;
    let listens = |other: &Seen| other.id != node.id && (id == node.id || Some(other.id) == leader);
    let members = node.members();
    let members = members.iter().filter(|other| listens(other)).map(|other| (other.address.as_str(), Some(other.id)));
    // If every node has moved, the members' addresses lead nowhere.
    let named = node.config.peers.iter().filter(|_| id == node.id).map(|peer| (peer.as_str(), None));
    let told = members.chain(named).map(|(other, to)| tell(other, to, id, address.to_owned()));
    futures::future::join_all(told).await;
    tokio::time::sleep(ANNOUNCE_PAUSE).await;
}

async fn tell(other: &str, to: Option<u64>, id: u64, address: String) {
    let Ok(mut stream) = connect(other).await else { return };
    let envelope = Envelope { to, request: Request::Announce { id, address } };
    let _ = tokio::time::timeout(Duration::from_secs(1), wire::ask(&mut stream, &envelope)).await;
}

/// A restarted node stands for election only after the others had time to respond: it can't know of a leader yet. The
/// only voter stands at once, as dqlite's Raft elects itself when it starts.
pub async fn stand_in_turn(node: Arc<Node>) {
    let timing = node.config.timing;
    let others_stood = timing.election * 4 / 3 + timing.heartbeat * 2;
    node.raft.runtime_config().elect(false);
    let mut metrics = node.raft.metrics();
    let alone = |metrics: &Metrics| metrics.membership_config.voter_ids().eq([node.id]);
    let is_alone = matches!(tokio::time::timeout(others_stood, metrics.wait_for(alone)).await, Ok(Ok(_)));
    node.raft.runtime_config().elect(true);
    if !is_alone || metrics.borrow().current_leader.is_some() {
        return;
    }
    if let Err(fatal) = node.raft.trigger().elect().await {
        log::error(format_args!("raft can't stand for election: {fatal}"));
    }
}

/// Logs each change of leader and members, maintains the list of peers, ends the process if Raft fails.
pub async fn watch(node: Arc<Node>) {
    let mut metrics = node.raft.metrics();
    let (mut leader, mut addresses) = (None, Vec::new());
    while metrics.changed().await.is_ok() {
        let now = metrics.borrow_and_update().clone();
        if let Err(fatal) = &now.running_state {
            log::error(format_args!("raft failed: {fatal}"));
            std::process::exit(1);
        }
        if now.current_leader != leader {
            leader = now.current_leader;
            let name = leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
            log::info(format_args!("leader is {name} in term {}", now.current_term));
        }
        let known: Vec<String> = node.members().into_iter().map(|member| member.address).collect();
        if known != addresses && !known.is_empty() {
            if let Err(error) = node.identity.remember_peers(&known) {
                log::warn(format_args!("list of peers not saved: {error:#}"));
            }
            addresses = known;
        }
    }
}
