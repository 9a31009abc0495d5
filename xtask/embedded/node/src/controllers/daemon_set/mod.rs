//! The `DaemonSet` controller: one pod on every node that the template fits.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::{Node, Pod};

use super::pods::{self, Availability};
use super::reconcile::{is_namespace_ending, touches, touches_more_than_status};
use super::revisions::{self, Template};
use super::{Controller, ControllerContext, Key, ReconcileResult, clock, events, owners};
use crate::client::Client;
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::{self, Change};

mod placement;
mod rollout;
#[cfg(test)]
mod tests;

const COMPONENT: &str = "daemonset-controller";

/// Creates, updates and deletes the pods of daemon sets.
pub const CONTROLLER: Controller = Controller { name: "daemonset", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "DaemonSet" if touches_more_than_status(change) => vec![store::key(&change.object)],
        "Pod" | "ControllerRevision" => owners::keys::<DaemonSet>(client, change),
        "Node" if touches(change, &["/spec", "/metadata/labels"]) => {
            client.list::<DaemonSet>(None).iter().map(owners::key).collect()
        }
        _ => Vec::new(),
    }
}

/// What one reconciliation works with.
struct Pass<'a> {
    client: &'a Client,
    set: &'a DaemonSet,
    spec: &'a DaemonSetSpec,
    /// The hash of the set's template, which its pods have as a label.
    hash: String,
    /// The number of that template.
    revision: i64,
    nodes: Vec<NodePods>,
}

/// A node and the set's pods there, oldest first.
struct NodePods {
    node: String,
    /// Whether a pod is to be started there.
    is_wanted: bool,
    /// Whether a pod that runs there may stay.
    may_stay: bool,
    pods: Vec<Pod>,
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(set) = client.get::<DaemonSet>(namespace, name) else { return Ok(None) };
    let Some(spec) = &set.spec else { return Ok(None) };
    let pods = owners::claim::<Pod, _>(client, &set, &spec.selector, |_| true)?;
    let collisions = set.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
    let template =
        Template { selector: &spec.selector, pods: &spec.template, collisions, hash_label: revisions::LABEL };
    let history = revisions::history(client, &set, &template)?;
    let Some(latest) = history.all.last() else { return Ok(None) };
    let hash = latest.metadata.labels.as_ref().and_then(|labels| labels.get(revisions::LABEL)).cloned();
    let nodes = placement::nodes(spec, &client.list::<Node>(None), pods);
    let pass = Pass { client, set: &set, spec, hash: hash.unwrap_or_default(), revision: latest.revision, nodes };
    let is_deleted = set.metadata.deletion_timestamp.is_some();
    let outcome = if is_deleted { Ok(()) } else { pass.manage().and_then(|()| pass.roll_out()) };
    let collisions = (history.collisions > 0).then_some(history.collisions);
    pass.write_status(collisions)?;
    outcome?;
    let limit = spec.revision_history_limit.unwrap_or(10);
    revisions::truncate(client, &history.all, limit, |revision| pass.uses(revision))?;
    Ok(pass.available_after())
}

impl Pass<'_> {
    /// Creates missing pods; deletes those that have ended, that may not stay, and all but one of each template on a
    /// node.
    fn manage(&self) -> Result<(), Status> {
        for place in &self.nodes {
            let active: Vec<&Pod> = place.pods.iter().filter(|pod| pods::is_active(pod)).collect();
            if !place.may_stay {
                active.iter().try_for_each(|pod| self.delete(pod))?;
                continue;
            }
            for ended in place.pods.iter().filter(|pod| pods::is_finished(pod) && !pods::is_terminating(pod)) {
                self.report_end(ended, &place.node);
                self.delete(ended)?;
            }
            let (new, old): (Vec<&Pod>, Vec<&Pod>) = active.iter().partition(|pod| self.is_new(pod));
            new.iter().skip(1).chain(old.iter().skip(1)).try_for_each(|pod| self.delete(pod))?;
            // A pod that is being deleted keeps its place until it is gone.
            if place.is_wanted && place.pods.is_empty() {
                self.create(&place.node)?;
            }
        }
        Ok(())
    }

    fn report_end(&self, pod: &Pod, node: &str) {
        let name = owners::key(pod).1;
        let (sort, reason, word) = match pods::phase(pod) {
            "Failed" => ("Warning", "FailedDaemonPod", "failed"),
            _ => ("Normal", "SucceededDaemonPod", "succeeded"),
        };
        let message =
            format!("Found {word} daemon pod {}/{name} on node {node}, will try to kill it", owners::key(pod).0);
        self.client.event(&events::reference(self.set), sort, reason, &message, COMPONENT);
    }

    fn create(&self, node: &str) -> Result<(), Status> {
        let about = events::reference(self.set);
        match self.client.create(&placement::pod(self.set, self.spec, node, (&self.hash, self.revision))) {
            Ok(pod) => {
                let message = format!("Created pod: {}", owners::key(&pod).1);
                self.client.event(&about, "Normal", "SuccessfulCreate", &message, COMPONENT);
                Ok(())
            }
            Err(refused) if is_namespace_ending(&refused) => Ok(()),
            Err(refused) => {
                let message = format!("Error creating: {refused}");
                self.client.event(&about, "Warning", "FailedCreate", &message, COMPONENT);
                Err(refused)
            }
        }
    }

    fn delete(&self, pod: &Pod) -> Result<(), Status> {
        match self.client.delete(pod, &DeleteOptions::default()) {
            Err(refused) if refused.reason == "NotFound" => Ok(()),
            Err(refused) => Err(refused),
            Ok(()) => {
                let message = format!("Deleted pod: {}", owners::key(pod).1);
                self.client.event(&events::reference(self.set), "Normal", "SuccessfulDelete", &message, COMPONENT);
                Ok(())
            }
        }
    }

    /// Returns whether a pod was made from the set's present template.
    fn is_new(&self, pod: &Pod) -> bool {
        revisions::of_pod(pod) == Some(&self.hash)
    }

    fn is_available(&self, pod: &Pod) -> bool {
        let min_ready = clock::seconds(self.spec.min_ready_seconds.unwrap_or(0));
        !pods::is_terminating(pod) && pods::availability(pod, min_ready) == Availability::Available
    }

    /// Returns whether a revision is that of the set's template or of one of its pods.
    fn uses(&self, revision: &k8s_openapi::api::apps::v1::ControllerRevision) -> bool {
        let hash = revision.metadata.labels.as_ref().and_then(|labels| labels.get(revisions::LABEL));
        let mut of_pods = self.nodes.iter().flat_map(|place| &place.pods).filter_map(revisions::of_pod);
        hash.is_some_and(|hash| *hash == self.hash || of_pods.any(|used| used == hash))
    }

    /// Returns when the next pod that is ready becomes available.
    fn available_after(&self) -> Option<std::time::Duration> {
        let min_ready = clock::seconds(self.spec.min_ready_seconds.unwrap_or(0));
        let all = self.nodes.iter().flat_map(|place| &place.pods);
        let left = all.filter_map(|pod| match pods::availability(pod, min_ready) {
            Availability::After(left) => Some(left),
            _ => None,
        });
        left.min()
    }

    fn write_status(&self, collisions: Option<i32>) -> Result<(), Status> {
        let status = self.status(collisions);
        self.client.modify_status(self.set, |set: &mut DaemonSet| {
            let changed = set.status.as_ref() != Some(&status);
            set.status = Some(status.clone());
            changed
        })
    }

    fn status(&self, collisions: Option<i32>) -> DaemonSetStatus {
        let count = |holds: &dyn Fn(&NodePods) -> bool| {
            i32::try_from(self.nodes.iter().filter(|place| holds(place)).count()).unwrap_or(i32::MAX)
        };
        let some = |count: i32| (count > 0).then_some(count);
        let wanted = |holds: &dyn Fn(&Pod) -> bool| count(&|place| place.is_wanted && place.pods.iter().any(holds));
        let desired = count(&|place| place.is_wanted);
        let available = wanted(&|pod| self.is_available(pod));
        DaemonSetStatus {
            desired_number_scheduled: desired,
            current_number_scheduled: wanted(&|_| true),
            number_misscheduled: count(&|place| !place.is_wanted && !place.pods.is_empty()),
            number_ready: wanted(&|pod| pods::is_ready(pod) && !pods::is_terminating(pod)),
            updated_number_scheduled: some(wanted(&|pod| self.is_new(pod))),
            number_available: some(available),
            number_unavailable: some(desired - available),
            observed_generation: self.set.metadata.generation,
            collision_count: collisions,
            conditions: self.set.status.as_ref().and_then(|status| status.conditions.clone()),
        }
    }
}

/// Groups pods by the node that they are on or are meant for.
fn by_node(pods: Vec<Pod>) -> BTreeMap<String, Vec<Pod>> {
    let mut nodes: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
    for pod in pods {
        nodes.entry(placement::node_of(&pod).unwrap_or_default().to_owned()).or_default().push(pod);
    }
    for pods in nodes.values_mut() {
        pods.sort_by_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.metadata.name.clone()));
    }
    nodes
}
