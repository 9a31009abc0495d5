//! Disruption budgets: how many pods may be disrupted, and whether a given one may.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Controller, ControllerContext, Key, ReconcileResult, clock, events, owners, percent, pods};
use crate::client::Client;
use crate::selector;
use crate::store::{self, Change};

mod evict;
#[cfg(test)]
mod tests;

pub use evict::admit;

const COMPONENT: &str = "controllermanager";

/// An allowed eviction that did not happen is forgotten after this.
const DISRUPTED_S: i64 = 120;

/// Maintains the status of budgets.
pub const CONTROLLER: Controller = Controller { name: "disruption", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    match change.kind.built_in() {
        "PodDisruptionBudget" => vec![(namespace, name)],
        "Pod" => {
            let stages = [Some(&change.object), change.previous.as_ref()];
            let labels: Vec<BTreeMap<String, String>> = stages
                .into_iter()
                .flatten()
                .map(|pod| serde_json::from_value(pod["metadata"]["labels"].clone()).unwrap_or_default())
                .collect();
            let budgets = client.list::<PodDisruptionBudget>(Some(&namespace)).into_iter();
            budgets.filter(|b| labels.iter().any(|labels| selects(b, labels))).map(|b| owners::key(&b)).collect()
        }
        "StatefulSet" | "Deployment" | "ReplicaSet" => owners::all::<PodDisruptionBudget>(client, &namespace),
        _ => Vec::new(),
    }
}

/// Returns whether the budget selects pods with these labels; an empty selector selects all.
fn selects(budget: &PodDisruptionBudget, labels: &BTreeMap<String, String>) -> bool {
    let wanted = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
    wanted.is_some_and(|wanted| selector::matches(wanted, Some(labels)))
}

/// The computed numbers of a budget.
struct BudgetNumbers {
    expected: i32,
    healthy: i32,
    desired: i32,
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(budget) = client.get::<PodDisruptionBudget>(namespace, name) else { return Ok(None) };
    let mut pods = client.list::<Pod>(Some(namespace));
    pods.retain(|pod| selects(&budget, &pod.metadata.labels.clone().unwrap_or_default()));
    let about = events::reference(&budget);
    let had_none =
        budget.status.as_ref().is_some_and(|s| s.observed_generation.is_some() && s.expected_pods == Some(0));
    if pods.is_empty() && !had_none {
        client.event(&about, "Normal", "NoPods", "No matching pods found", COMPONENT);
    }
    let disrupted = still_disrupted(&budget, &pods);
    let counted = expected_and_desired(client, &budget, &pods).map(|(expected, desired)| {
        let healthy = |pod: &&Pod| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            pods::is_ready(pod) && !pods::is_terminating(pod) && !disrupted.contains_key(name)
        };
        let healthy = i32::try_from(pods.iter().filter(healthy).count()).unwrap_or(i32::MAX);
        BudgetNumbers { expected, healthy, desired }
    });
    if let Err(why) = &counted {
        let message = format!("Failed to calculate the number of expected pods: {why}");
        client.event(&about, "Warning", "CalculateExpectedPodCountFailed", &message, COMPONENT);
    }
    let again = disrupted.values().filter_map(|since| clock::remaining(since, clock::seconds(DISRUPTED_S))).min();
    write_status(client, &budget, counted, disrupted)?;
    Ok(again)
}

/// Returns the pods whose eviction was allowed and that still exist.
fn still_disrupted(budget: &PodDisruptionBudget, pods: &[Pod]) -> BTreeMap<String, Time> {
    let mut disrupted = budget.status.as_ref().and_then(|s| s.disrupted_pods.clone()).unwrap_or_default();
    disrupted.retain(|name, since| {
        let pod = pods.iter().find(|pod| pod.metadata.name.as_ref() == Some(name));
        // A pod of the same name that was created since then is a different one.
        let same = |pod: &Pod| pod.metadata.creation_timestamp.as_ref().is_none_or(|created| created <= since);
        let waits = pod.is_some_and(|pod| !pods::is_terminating(pod) && same(pod));
        waits && clock::remaining(since, clock::seconds(DISRUPTED_S)).is_some()
    });
    disrupted
}

/// Returns how many pods there should be, and how many of them have to be healthy.
fn expected_and_desired(client: &Client, budget: &PodDisruptionBudget, pods: &[Pod]) -> Result<(i32, i32), String> {
    let count = i32::try_from(pods.len()).unwrap_or(i32::MAX);
    let spec = budget.spec.clone().unwrap_or_default();
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(most), _) => {
            let expected = expected_scale(client, pods)?;
            Ok((expected, (expected - percent::scaled_up(most, expected)).max(0)))
        }
        (None, Some(IntOrString::Int(least))) => Ok((count, *least)),
        (None, Some(least)) => {
            let expected = expected_scale(client, pods)?;
            Ok((expected, percent::scaled_up(least, expected)))
        }
        (None, None) => Ok((count, 0)),
    }
}

/// Returns the total replicas of the pods' controllers.
fn expected_scale(client: &Client, pods: &[Pod]) -> Result<i32, String> {
    let mut scales = BTreeMap::new();
    for pod in pods {
        let (namespace, name) = owners::key(pod);
        let Some(owner) = owners::controller(&pod.metadata) else {
            return Err(format!("found no controller ref for pod \"{name}\""));
        };
        if let Some(scale) = scale(client, &namespace, &owner.kind, &owner.name) {
            scales.insert(scale.0, scale.1);
        }
    }
    Ok(scales.values().sum())
}

/// Returns a controller's own name and scale; for a replica set, those of its deployment.
fn scale(client: &Client, namespace: &str, kind: &str, name: &str) -> Option<(String, i32)> {
    let replicas = match kind {
        "StatefulSet" => client.get::<StatefulSet>(namespace, name)?.spec?.replicas,
        "Deployment" => client.get::<Deployment>(namespace, name)?.spec?.replicas,
        "ReplicaSet" => {
            let set = client.get::<ReplicaSet>(namespace, name)?;
            match owners::controller(&set.metadata) {
                Some(owner) => return scale(client, namespace, &owner.kind, &owner.name),
                None => set.spec?.replicas,
            }
        }
        _ => return None,
    };
    Some((format!("{kind}/{name}"), replicas.unwrap_or(1)))
}

fn write_status(
    client: &Client,
    budget: &PodDisruptionBudget,
    numbers: Result<BudgetNumbers, String>,
    disrupted: BTreeMap<String, Time>,
) -> Result<(), crate::status::Status> {
    let generation = budget.metadata.generation;
    let before = budget.status.clone().unwrap_or_default();
    let status = match numbers {
        Ok(BudgetNumbers { expected, healthy, desired }) => {
            let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
            let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
            PodDisruptionBudgetStatus {
                conditions: Some(vec![condition(&before, allowed > 0, reason, "", generation)]),
                current_healthy: Some(healthy),
                desired_healthy: Some(desired),
                disrupted_pods: (!disrupted.is_empty()).then_some(disrupted),
                disruptions_allowed: Some(allowed),
                expected_pods: Some(expected),
                observed_generation: generation,
            }
        }
        Err(why) => PodDisruptionBudgetStatus {
            conditions: Some(vec![condition(&before, false, "SyncFailed", &why, generation)]),
            disruptions_allowed: Some(0),
            ..before.clone()
        },
    };
    let read = budget.status.clone();
    client.modify_status(budget, |budget: &mut PodDisruptionBudget| {
        // An eviction that was charged meanwhile stays; its change triggers another pass.
        if budget.status != read {
            return false;
        }
        let changed = budget.status.as_ref() != Some(&status);
        budget.status = Some(status.clone());
        changed
    })
}

fn condition(
    before: &PodDisruptionBudgetStatus,
    allowed: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
) -> Condition {
    let status = if allowed { "True" } else { "False" };
    let known = before.conditions.iter().flatten().find(|c| c.type_ == "DisruptionAllowed" && c.status == status);
    Condition {
        type_: "DisruptionAllowed".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: known.map_or_else(clock::now, |c| c.last_transition_time.clone()),
        observed_generation: generation,
    }
}
