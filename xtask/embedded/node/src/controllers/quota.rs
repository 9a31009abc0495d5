//! The status of resource quotas: how much of each is used. Admission enforces them.

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::reconcile::touches;
use super::{Controller, ControllerContext, Key, ReconcileResult, owners};
use crate::client::Client;
use crate::registry::quota_usage;
use crate::store::{self, Change};
use resources::quantity;

/// Counts what namespaces with a quota use.
pub const CONTROLLER: Controller = Controller { name: "resourcequota", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    match change.kind.built_in() {
        "ResourceQuota" if touches(change, &["/spec"]) => vec![(namespace, name)],
        "ResourceQuota" | "Event" => Vec::new(),
        _ if namespace.is_empty() => Vec::new(),
        _ if touches(change, &["/spec", "/status/phase", "/metadata/deletionTimestamp"]) => {
            owners::all::<ResourceQuota>(client, &namespace)
        }
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(quota) = client.get::<ResourceQuota>(namespace, name) else { return Ok(None) };
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.clone()).unwrap_or_default();
    let used = hard.keys().map(|resource| (resource.clone(), Quantity(used(client, namespace, resource)))).collect();
    let status = ResourceQuotaStatus { hard: Some(hard), used: Some(used) };
    client.modify_status(&quota, |quota: &mut ResourceQuota| {
        let changed = quota.status.as_ref() != Some(&status);
        quota.status = Some(status.clone());
        changed
    })?;
    Ok(None)
}

fn used(client: &Client, namespace: &str, resource: &str) -> String {
    let mut nanos = 0;
    for kind in client.kinds().into_iter().filter(|kind| kind.namespaced) {
        let objects = client.list_stored(kind).into_iter().filter(|object| store::key(object).0 == namespace);
        nanos += objects.filter_map(|object| quota_usage(resource, kind, &object)).sum::<i128>();
    }
    quantity::shown(nanos)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;
    use crate::controllers::testing::Simulation;

    #[test]
    fn finished_pods_use_nothing() {
        let mut simulation = Simulation::new("a");
        let hard = json!({"pods": "3", "requests.cpu": "1", "configmaps": "5"});
        simulation
            .create::<ResourceQuota>(json!({"metadata": {"name": "q", "namespace": "a"}, "spec": {"hard": hard}}));
        let container = json!({"name": "main", "image": "one", "resources": {"requests": {"cpu": "250m"}}});
        for name in ["one", "two"] {
            let spec = json!({"containers": [container]});
            simulation.create::<Pod>(json!({"metadata": {"name": name, "namespace": "a"}, "spec": spec}));
        }
        simulation.settle();
        let used = |simulation: &Simulation| {
            let quota: ResourceQuota = simulation.context.client.get("a", "q").unwrap();
            let used = quota.status.unwrap().used.unwrap();
            used.into_values().map(|quantity| quantity.0).collect::<Vec<_>>()
        };
        assert_eq!(used(&simulation), ["1", "2", "500m"], "config maps, pods, cpu");
        simulation.end("a", "one", "Succeeded");
        assert_eq!(used(&simulation)[1], "1");
    }
}
