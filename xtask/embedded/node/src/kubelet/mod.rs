//! Runs pods: volumes, environment, containers, probes, restarts, and their status.
//!
//! One task for each pod (`worker`) keeps the pod in its desired state; this module sends it its orders.

mod backoff;
mod command;
mod conditions;
mod containers;
mod disks;
mod downward;
mod env;
mod expand;
mod grace;
mod handle;
mod hooks;
mod images;
mod logs;
mod node_object;
mod order;
mod phase;
mod pod_status;
mod probe;
pub(crate) mod qos;
mod record;
mod refresh;
mod reporter;
mod sandbox;
mod security;
mod service_env;
mod start;
mod stop;
mod time;
mod volumes;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use runtime::Runtime;
use tokio::sync::watch;

pub use self::handle::Handle;
use self::images::Images;
pub(crate) use self::node_object::register_node;
use self::order::PodOrder;
use self::worker::Worker;
use crate::changes::Changes;
use crate::client::Client;
use crate::controllers::NODE;
use crate::faults::PlantedFaults;
use crate::kinds;
use crate::store::{self, Change};

/// The writer of the kubelet's changes, as in `managedFields`.
pub(crate) const MANAGER: &str = "kubelet";

/// The kubelet of the one node.
pub(crate) struct Kubelet {
    client: Client,
    runtime: Runtime,
    handle: Handle,
    faults: PlantedFaults,
    images: Images,
    directory: PathBuf,
    host_ip: Ipv4Addr,
    name_server: Ipv4Addr,
    capacity: Arc<BTreeMap<String, Quantity>>,
}

/// Addresses that pods get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// The node's own.
    pub host: Ipv4Addr,
    /// The cluster's name server.
    pub name_server: Ipv4Addr,
}

/// The workers by the UID of their pod.
type Workers = HashMap<String, watch::Sender<PodOrder>>;

impl Kubelet {
    /// Returns a kubelet that keeps its files below `directory`.
    pub(crate) fn new(
        client: &Client,
        runtime: Runtime,
        handle: Handle,
        faults: PlantedFaults,
        directory: &Path,
        addresses: Addresses,
    ) -> Arc<Self> {
        Arc::new(Self {
            images: Images::new(runtime.clone(), faults.clone()),
            client: client.of(MANAGER),
            runtime,
            handle,
            faults,
            directory: directory.to_owned(),
            host_ip: addresses.host,
            name_server: addresses.name_server,
            capacity: Arc::new(node_object::capacity()),
        })
    }

    /// Runs the pods bound to the node until the store is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut changes = Changes::new(self.client.clone());
        let mut workers = Workers::new();
        while let Some(batch) = changes.next().await {
            let keys: BTreeSet<_> = batch.iter().filter_map(bound_pod).collect();
            if !keys.is_empty() {
                self.dispatch(&keys, &mut workers);
            }
            for change in &batch {
                refresh::announce(change, &workers);
            }
        }
    }

    /// Sends the workers of these pods their orders.
    fn dispatch(self: &Arc<Self>, keys: &BTreeSet<(String, String)>, workers: &mut Workers) {
        workers.retain(|_, orders| !orders.is_closed());
        for (namespace, name) in keys {
            let Some(pod) = self.client.get::<Pod>(namespace, name).map(Arc::new) else { continue };
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            match workers.get(&uid) {
                Some(orders) => order(orders, &pod),
                None if is_ours(&pod) => {
                    let (sender, orders) = watch::channel(PodOrder { pod, removed: false, changes: 0 });
                    workers.insert(uid, sender);
                    tokio::spawn(Worker::new(Arc::clone(self), orders).run());
                }
                None => {}
            }
        }
        self.notice_removals(workers);
    }

    /// Notifies the workers of pods that are no longer stored. A pod with a reused name is a different pod.
    fn notice_removals(&self, workers: &Workers) {
        let stored = self.client.list_stored(kinds::of::<Pod>());
        let stored: BTreeSet<&str> = stored.iter().filter_map(|pod| pod["metadata"]["uid"].as_str()).collect();
        for (_, orders) in workers.iter().filter(|(uid, _)| !stored.contains(uid.as_str())) {
            orders.send_if_modified(|order| !std::mem::replace(&mut order.removed, true));
        }
    }

    /// Returns the pod's own directory.
    fn pod_directory(&self, pod: &Pod) -> PathBuf {
        self.directory.join("pods").join(pod.metadata.uid.as_deref().unwrap_or_default())
    }
}

/// Returns the namespace and the name of the pod that a change is about, if it is bound to a node.
fn bound_pod(change: &Change) -> Option<(String, String)> {
    let bound = change.kind.plural == "pods" && change.object["spec"]["nodeName"].is_string();
    bound.then(|| store::key(&change.object))
}

fn is_ours(pod: &Pod) -> bool {
    let finished = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(NODE)
        && !finished.is_some_and(|phase| ["Succeeded", "Failed"].contains(&phase))
}

/// Passes a pod on if more than the kubelet's own status changed.
fn order(orders: &watch::Sender<PodOrder>, pod: &Arc<Pod>) {
    orders.send_if_modified(|order| {
        let shows = refresh::shows_other_fields(&order.pod, pod);
        order.changes += u64::from(shows);
        let news = shows || concerns(&order.pod, pod);
        order.pod = Arc::clone(pod);
        news
    });
}

fn concerns(before: &Pod, after: &Pod) -> bool {
    let deletion = |pod: &Pod| {
        (pod.metadata.deletion_timestamp.clone(), pod.metadata.deletion_grace_period_seconds, pod.metadata.generation)
    };
    deletion(before) != deletion(after) || gates(before) != gates(after)
}

/// Returns the conditions that others set and that readiness may depend on.
fn gates(pod: &Pod) -> Vec<PodCondition> {
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let conditions = || pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    gates.flat_map(|gate| conditions().filter(|c| c.type_ == gate.condition_type).cloned()).collect()
}
