//! The cluster's nodes as waits see them: which of them take pods, and why one does not.

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

/// Where the pods are that make a node ready: its network, its proxy.
const SYSTEM: &str = "kube-system";
/// How often the system pods of a node that is not ready are listed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long no node may be ready while a system pod can't start: it had its restarts by then.
const BROKEN_AFTER: Duration = Duration::from_secs(20);
/// How long no node may be ready without a visible cause. One of kind's takes 16 s after its API on a quiet machine.
const UNREADY_AFTER: Duration = Duration::from_secs(120);
/// How many nodes that are not ready are named.
const NAMED_MAX: usize = 3;

/// The nodes, watched until the last clone is dropped. The default sees none.
#[derive(Clone, Default)]
pub struct Nodes {
    seen: Arc<RwLock<Seen>>,
    _task: Option<Arc<AbortOnDropHandle<()>>>,
}

#[derive(Default)]
struct Seen {
    nodes: BTreeMap<String, Node>,
    /// Pods of `kube-system` on nodes that are not ready.
    system: Vec<Pod>,
}

impl Nodes {
    /// Watches the nodes of a cluster. Whoever may not see them sees none.
    pub fn start(client: &Client) -> Self {
        let seen = Arc::new(RwLock::default());
        let task = tokio::spawn(follow(client.clone(), Arc::clone(&seen)));
        Self { seen, _task: Some(Arc::new(AbortOnDropHandle::new(task))) }
    }

    /// Nodes that do not change, and their system pods: for tests.
    #[cfg(test)]
    pub fn still(nodes: Vec<Node>, system: Vec<Pod>) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name_any(), node)).collect();
        Self { seen: Arc::new(RwLock::new(Seen { nodes, system })), _task: None }
    }

    /// What keeps pods of a namespace from running; none where its pods have their nodes, and these are ready.
    pub fn trouble(&self, state: &State) -> Option<NodeProblem> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.trouble(state)
    }

    /// How many nodes are seen.
    pub fn count(&self) -> usize {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).nodes.len()
    }

    /// How many nodes take pods that tolerate no taint.
    pub fn that_take_pods(&self) -> usize {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.nodes.values().filter(|node| is_ready(node) && !keeps_out(node)).count()
    }

    /// The nodes that are not ready, in their own words; empty where all are.
    pub fn unready(&self) -> Vec<NodeProblem> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let unready = seen.nodes.values().filter(|node| !is_ready(node));
        unready.map(|node| seen.told(node)).collect()
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
        let mut told: Vec<NodeProblem> =
            unready.into_iter().filter(concerned).take(NAMED_MAX).map(|node| self.told(node)).collect();
        // The one whose cause is seen comes first.
        told.sort_by_key(|trouble| trouble.final_after);
        let sentence = told.iter().map(|trouble| trouble.sentence.as_str()).collect::<Vec<_>>().join("; ");
        let first = told.into_iter().next()?;
        Some(NodeProblem { sentence, final_after: first.final_after.filter(|_| none_ready), ..first })
    }

    /// What is wrong with a node that is not ready.
    fn told(&self, node: &Node) -> NodeProblem {
        let name = node.name_any();
        let on_node = |pod: &&Pod| objects::node(pod) == Some(&name);
        // One that only waits for the network, as the chart's own do, is in no state that counts here.
        let system: Vec<Pod> = self.system.iter().filter(on_node).cloned().collect();
        let broken = cannot_start(&system);
        let limping = || system.iter().find(|pod| is_limping(pod)).map(pod_sentence);
        let cause = broken.clone().or_else(limping).map(|cause| format!("; in {SYSTEM}, {cause}")).unwrap_or_default();
        let sentence = format!("Node/{name} is not ready: {}{cause}", reason(node));
        let final_after = if broken.is_some() { BROKEN_AFTER } else { UNREADY_AFTER };
        NodeProblem { object: format!("Node/{name}"), sentence, final_after: Some(final_after) }
    }
}

/// Whether the node's `Ready` condition is true.
pub fn is_ready(node: &Node) -> bool {
    condition(node).is_some_and(|(status, _)| status == "True")
}

/// The status of the node's `Ready` condition, and its words.
fn condition(node: &Node) -> Option<(&str, &str)> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let words = ready.message.as_deref().filter(|words| !words.is_empty()).or(ready.reason.as_deref());
    Some((&ready.status, words.unwrap_or("it gives no reason")))
}

/// Whether it is cordoned or tainted.
fn keeps_out(node: &Node) -> bool {
    let Some(spec) = &node.spec else { return false };
    let taints = spec.taints.iter().flatten().any(|taint| taint.effect != "PreferNoSchedule");
    taints || spec.unschedulable == Some(true)
}

fn reason(node: &Node) -> &str {
    condition(node).map_or("its kubelet has not reported yet", |(_, words)| words)
}

/// Whether a pod has no node yet, or is not ready on the one that it has.
fn waits(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed")) && !objects::is_ready(pod)
}

/// Whether a pod that ought to run does not: one that is only being created is left out.
fn is_limping(pod: &Pod) -> bool {
    let waiting =
        objects::containers(pod).filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    waits(pod) && waiting.into_iter().any(|reason| !matches!(reason, "ContainerCreating" | "PodInitializing"))
}

fn pod_sentence(pod: &Pod) -> String {
    format!("Pod/{}: {}", pod.name_any(), objects::pod_line(pod))
}

/// Keeps what is seen up to date.
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

/// Names of the nodes that are not ready, as many as are told.
fn unready_names(seen: &RwLock<Seen>) -> Vec<String> {
    let seen = seen.read().unwrap_or_else(PoisonError::into_inner);
    seen.nodes.values().filter(|node| !is_ready(node)).take(NAMED_MAX).map(ResourceExt::name_any).collect()
}

/// The system pods on these nodes; none where the API does not say.
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
