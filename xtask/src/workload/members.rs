//! The members and the leader that the application reports, and whether all replicas agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use client::response::Response;
use kubernetes::ask::PodClient;
use kubernetes::objects;
use suite::{Leader, Members};

/// A replica's view of the members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Name and role of each member.
    pub members: BTreeMap<String, String>,
    /// The role that votes.
    pub voter: String,
}

impl View {
    /// Returns the names of the members that vote.
    pub fn voters(&self) -> BTreeSet<&str> {
        let votes = |(name, role)| (role == &self.voter).then_some(name);
        self.members.iter().filter_map(votes).map(String::as_str).collect()
    }
}

/// Whether the views of all replicas agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// All replicas report the same voters, and the expected number of them.
    Agreed,
    /// Not yet, with a description.
    Open(String),
    /// A replica forms a cluster of its own, which does not heal.
    Split(String),
}

/// Asks a replica for its members.
///
/// # Errors
/// If it does not respond, or its response does not match the suite.
pub async fn view(members: &Members, application: &Arc<PodClient>, pod: &str) -> Result<View, String> {
    let answer = application.succeed(pod, &members.request).await?;
    parse_view(members, &answer).map_err(|why| format!("{pod}: {why}"))
}

fn parse_view(members: &Members, answer: &Response) -> Result<View, String> {
    let mut view = View { voter: members.voter.clone(), ..View::default() };
    for item in &members.items.items(&answer.document())? {
        let role = match &members.role {
            None => members.voter.clone(),
            Some(at) => at.text(item)?.unwrap_or_default(),
        };
        let name = members.name.text(item)?.unwrap_or_default();
        if members.roles.is_empty() || members.roles.contains(&role) {
            view.members.insert(name, role);
        }
    }
    Ok(view)
}

/// Compares the views of all replicas. `wanted` is the number of voters.
pub fn compare(views: &BTreeMap<String, View>, wanted: usize) -> Agreement {
    if let Some(alone) = split(views) {
        return Agreement::Split(alone);
    }
    let distinct: BTreeSet<_> = views.values().map(View::voters).collect();
    match distinct.first() {
        Some(voters) if distinct.len() == 1 && voters.len() == wanted => Agreement::Agreed,
        Some(voters) if distinct.len() == 1 => {
            Agreement::Open(format!("{}/{wanted} voters ({})", voters.len(), list(voters)))
        }
        _ => Agreement::Open(format!("the replicas disagree: {}", describe(views))),
    }
}

/// Returns a replica that is not a voter, if the application names members after their pods. A dead member then still
/// counts as a voter, and losing one more replica may break the quorum.
pub fn without_vote(views: &BTreeMap<String, View>, pods: &[Pod]) -> Option<String> {
    let voters: BTreeSet<&str> = views.values().flat_map(View::voters).collect();
    let votes = |pod: &&Pod| voters.iter().any(|voter| is_called(pod, voter));
    if !pods.iter().any(|pod| votes(&pod)) {
        return None;
    }
    let pod = pods.iter().find(|pod| !votes(pod))?;
    let ip = objects::ip(pod).unwrap_or("no IP");
    Some(format!("{} ({ip}) does not vote; the voters are {}", pod.name_any(), list(&voters)))
}

/// Returns the pods that vote, according to any replica.
pub fn voting(views: &BTreeMap<String, View>, pods: &[Pod]) -> BTreeSet<String> {
    let voters: BTreeSet<&str> = views.values().flat_map(View::voters).collect();
    let votes = |pod: &&Pod| voters.iter().any(|voter| is_called(pod, voter));
    pods.iter().filter(votes).map(ResourceExt::name_any).collect()
}

/// Returns a replica that forms a cluster of its own: it counts only itself, while another replica counts several.
fn split(views: &BTreeMap<String, View>) -> Option<String> {
    let most = views.values().max_by_key(|view| view.voters().len())?;
    let (alone, view) = views.iter().find(|(_, view)| view.members.len() == 1 && view.voters().len() == 1)?;
    if most.voters().len() < 2 {
        return None;
    }
    Some(format!(
        "{alone} founded a second cluster: it counts only itself ({}) as a voter, while others count {} ({})",
        list(&view.voters()),
        most.voters().len(),
        list(&most.voters())
    ))
}

fn describe(views: &BTreeMap<String, View>) -> String {
    let each =
        views.iter().map(|(pod, view)| format!("{pod} sees {} voters ({})", view.voters().len(), list(&view.voters())));
    each.collect::<Vec<_>>().join("; ")
}

fn list(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Asks a replica for the leader; returns the pod's name, or `None` if the application does not report a leader.
///
/// # Errors
/// If it does not respond.
pub async fn leader(
    leader: &Leader,
    application: &Arc<PodClient>,
    pods: &[Pod],
    replica: &str,
) -> Result<Option<String>, String> {
    let answer = application.succeed(replica, &leader.request).await?.document();
    let Some(name) = leader.leader.text(&answer)?.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    Ok(match &leader.own {
        Some(own) => (own.text(&answer)?.as_deref() == Some(name.as_str())).then(|| replica.to_owned()),
        None => pods.iter().find(|pod| is_called(pod, &name)).map(ResourceExt::name_any),
    })
}

/// Whether an application's name for a member means this pod: its IP or its name, with or without a port.
fn is_called(pod: &Pod, name: &str) -> bool {
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host).trim_matches(['[', ']']);
    let first = host.split('.').next().unwrap_or(host);
    objects::ip(pod) == Some(host) || pod.name_any() == first
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
