//! The cluster's nodes, for waits: which of them accept pods, and why others do not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt};
use tokio_util::task::AbortOnDropHandle;

use super::node_problem::NodeProblem;
use super::pause::Pause;
use super::state::State;
use super::unrecoverable::cannot_start;
use super::{call, objects};

/// The namespace of the pods that make a node ready: its network, its proxy.
const SYSTEM: &str = "kube-system";
/// How often the system pods of an unready node are listed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long all nodes may be unready while a system pod can't start: by then it has been restarted several times.
const BROKEN_AFTER: Duration = Duration::from_secs(20);
/// How long all nodes may be unready without a visible cause. A kind node takes 16 s after its API on an idle machine.
const UNREADY_AFTER: Duration = Duration::from_secs(120);
/// How many unready nodes are named at most.
const NAMED_MAX: usize = 3;

/// The nodes, watched until the last clone is dropped. The default contains no nodes.
#[derive(Clone, Default)]
pub struct Nodes {
    seen: Arc<RwLock<Seen>>,
    _task: Option<Arc<AbortOnDropHandle<()>>>,
}

#[derive(Default)]
struct Seen {
    nodes: BTreeMap<String, Node>,
    /// The pods of `kube-system` on unready nodes.
    system: Vec<Pod>,
}

impl Nodes {
    /// Watches the nodes of a cluster. Without permission to list nodes, there are none.
    pub fn start(client: &Client) -> Self {
        let seen = Arc::new(RwLock::default());
        let task = tokio::spawn(follow(client.clone(), Arc::clone(&seen)));
        Self { seen, _task: Some(Arc::new(AbortOnDropHandle::new(task))) }
    }

    /// Returns nodes that do not change, and their system pods, for tests.
    #[cfg(test)]
    pub fn still(nodes: Vec<Node>, system: Vec<Pod>) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name_any(), node)).collect();
        Self { seen: Arc::new(RwLock::new(Seen { nodes, system })), _task: None }
    }

    /// Returns the problem that prevents pods of a namespace from running; none if its pods are on ready nodes.
    pub fn trouble(&self, state: &State) -> Option<NodeProblem> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.trouble(state)
    }

    /// Returns the number of nodes.
    pub fn count(&self) -> usize {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).nodes.len()
    }

    /// Returns the number of nodes that accept pods without tolerations.
    pub fn that_take_pods(&self) -> usize {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.nodes.values().filter(|node| is_ready(node) && !keeps_out(node)).count()
    }

    /// Returns the problems of the unready nodes; empty if all are ready.
    pub fn unready(&self) -> Vec<NodeProblem> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let unready = seen.nodes.values().filter(|node| !is_ready(node));
        unready.map(|node| seen.problem(node)).collect()
    }
}

impl Seen {
    fn trouble(&self, state: &State) -> Option<NodeProblem> {
        let waiting: Vec<&Pod> = state.pods.values().filter(|pod| waits(pod)).collect();
        if waiting.is_empty() {
            return None;
        }
        let unready: Vec<&Node> = self.nodes.values().filter(|node| !is_ready(node)).collect();
        let none_ready = !unready.is_empty() && unready.len() == self.nodes.len();
        let theirs: BTreeSet<&str> = waiting.iter().filter_map(|pod| objects::node(pod)).collect();
        let concerned = |node: &&Node| none_ready || theirs.contains(node.name_any().as_str());
        let mut problems: Vec<NodeProblem> =
            unready.into_iter().filter(concerned).take(NAMED_MAX).map(|node| self.problem(node)).collect();
        // A node whose cause is known comes first.
        problems.sort_by_key(|trouble| trouble.final_after);
        let sentence = problems.iter().map(|trouble| trouble.sentence.as_str()).collect::<Vec<_>>().join("; ");
        let first = problems.into_iter().next()?;
        Some(NodeProblem { sentence, final_after: first.final_after.filter(|_| none_ready), ..first })
    }

    /// Returns the problem of an unready node.
    fn problem(&self, node: &Node) -> NodeProblem {
        let name = node.name_any();
        let on_node = |pod: &&Pod| objects::node(pod) == Some(&name);
        // A pod that only waits for the network, as the chart's own do, is not the cause.
        let system: Vec<Pod> = self.system.iter().filter(on_node).cloned().collect();
        let broken = cannot_start(&system);
        let unhealthy = || system.iter().find(|pod| is_unhealthy(pod)).map(pod_sentence);
        let cause =
            broken.clone().or_else(unhealthy).map(|cause| format!("; in {SYSTEM}, {cause}")).unwrap_or_default();
        let sentence = format!("Node/{name} is not ready: {}{cause}", reason(node));
        let final_after = if broken.is_some() { BROKEN_AFTER } else { UNREADY_AFTER };
        NodeProblem { object: format!("Node/{name}"), sentence, final_after: Some(final_after) }
    }
}

/// Returns whether the node's `Ready` condition is true.
pub fn is_ready(node: &Node) -> bool {
    condition(node).is_some_and(|(status, _)| status == "True")
}

/// Returns the status of the node's `Ready` condition, and its message.
fn condition(node: &Node) -> Option<(&str, &str)> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let words = ready.message.as_deref().filter(|words| !words.is_empty()).or(ready.reason.as_deref());
    Some((&ready.status, words.unwrap_or("no reason given")))
}

/// Returns whether the node is cordoned or tainted.
fn keeps_out(node: &Node) -> bool {
    let Some(spec) = &node.spec else { return false };
    let taints = spec.taints.iter().flatten().any(|taint| taint.effect != "PreferNoSchedule");
    taints || spec.unschedulable == Some(true)
}

fn reason(node: &Node) -> &str {
    condition(node).map_or("its kubelet has not reported yet", |(_, words)| words)
}

/// Returns whether a pod has no node yet, or is not ready on its node.
fn waits(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed")) && !objects::is_ready(pod)
}

/// Returns whether a pod should be running but is not. A pod that is still being created doesn't count.
fn is_unhealthy(pod: &Pod) -> bool {
    let waiting =
        objects::containers(pod).filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    waits(pod) && waiting.into_iter().any(|reason| !matches!(reason, "ContainerCreating" | "PodInitializing"))
}

fn pod_sentence(pod: &Pod) -> String {
    format!("Pod/{}: {}", pod.name_any(), objects::pod_line(pod))
}

/// Keeps the nodes up to date.
async fn follow(client: Client, seen: Arc<RwLock<Seen>>) {
    let mut stream =
        watcher(Api::<Node>::all(client.clone()), watcher::Config::default()).backoff(Pause::default()).boxed();
    let mut listed = BTreeMap::new();
    loop {
        let unready = unready_names(&seen);
        tokio::select! {
            event = stream.next() => match event {
                Some(Ok(event)) => apply(event, &mut listed, &seen),
                Some(Err(error)) if is_forbidden(&error) => return,
                Some(Err(_)) => continue,
                None => return,
            },
            () = tokio::time::sleep(LOOK_EVERY), if !unready.is_empty() => {}
        }
        let system = system_pods(&client, &unready_names(&seen)).await;
        change(&seen, |seen| seen.system = system);
    }
}

fn apply(event: watcher::Event<Node>, listed: &mut BTreeMap<String, Node>, seen: &RwLock<Seen>) {
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitApply(node) => drop(listed.insert(node.name_any(), node)),
        watcher::Event::InitDone => change(seen, |seen| seen.nodes = std::mem::take(listed)),
        watcher::Event::Apply(node) => change(seen, |seen| drop(seen.nodes.insert(node.name_any(), node))),
        watcher::Event::Delete(node) => change(seen, |seen| drop(seen.nodes.remove(&node.name_any()))),
    }
}

fn change(seen: &RwLock<Seen>, change: impl FnOnce(&mut Seen)) {
    change(&mut seen.write().unwrap_or_else(PoisonError::into_inner));
}

/// Returns the names of unready nodes, up to the limit.
fn unready_names(seen: &RwLock<Seen>) -> Vec<String> {
    let seen = seen.read().unwrap_or_else(PoisonError::into_inner);
    seen.nodes.values().filter(|node| !is_ready(node)).take(NAMED_MAX).map(ResourceExt::name_any).collect()
}

/// Returns the system pods on these nodes; none if the API server returns an error.
async fn system_pods(client: &Client, nodes: &[String]) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let mut found = Vec::new();
    for node in nodes {
        let on_node = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let listed = call("listing the system pods of a node", pods.list(&on_node)).await;
        found.extend(listed.into_iter().flatten());
    }
    found
}

fn is_forbidden(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchStartFailed};
    matches!(error, InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) if status.code == 403)
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
