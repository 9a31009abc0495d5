//! What every namespace has from the start: the service account `default` and the cluster's certificate.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::reconcile::unless;
use super::{Controller, ControllerContext, Key, ReconcileResult};
use crate::client::{Client, Object};
use crate::store::{self, Change, ChangeType};

const CERTIFICATE: &str = "kube-root-ca.crt";

/// How long until a planted delay is checked again.
const LATE: Duration = Duration::from_millis(200);

/// Creates `default`, and recreates it if somebody deletes it.
pub const CONTROLLER: Controller =
    Controller { name: "serviceaccount", keys: account_keys, reconcile: reconcile_account };

/// Publishes the cluster's certificate, and restores it if somebody deletes it.
pub const CERTIFICATES: Controller =
    Controller { name: "root-ca-certificate-publisher", keys: certificate_keys, reconcile: reconcile_certificate };

fn account_keys(_: &Client, change: &Change) -> Vec<Key> {
    keys(change, "ServiceAccount", "default")
}

fn certificate_keys(_: &Client, change: &Change) -> Vec<Key> {
    keys(change, "ConfigMap", CERTIFICATE)
}

/// Returns the existing namespace, or the one whose object was deleted.
fn keys(change: &Change, kind: &str, name: &str) -> Vec<Key> {
    let (namespace, changed) = store::key(&change.object);
    let deleted = change.change == ChangeType::Deleted;
    match change.kind.built_in() {
        "Namespace" if !deleted => vec![(String::new(), changed)],
        other if other == kind && deleted && changed == name => vec![(String::new(), namespace)],
        _ => Vec::new(),
    }
}

fn reconcile_account(context: &ControllerContext, (_, namespace): &Key) -> ReconcileResult {
    let account = ServiceAccount { metadata: named(namespace, "default"), ..ServiceAccount::default() };
    create(context, namespace, &account, || context.faults.withholds_account(namespace))
}

fn reconcile_certificate(context: &ControllerContext, (_, namespace): &Key) -> ReconcileResult {
    let metadata = ObjectMeta { annotations: Some(explanation()), ..named(namespace, CERTIFICATE) };
    let data = BTreeMap::from([("ca.crt".to_owned(), context.root_certificate.clone())]);
    let certificate = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    create(context, namespace, &certificate, || context.faults.withholds_certificate(namespace))
}

/// Creates an object of an active namespace, unless it exists or a fault withholds it.
fn create<K: Object>(
    context: &ControllerContext,
    namespace: &str,
    object: &K,
    is_withheld: impl Fn() -> bool,
) -> ReconcileResult {
    let client = &context.client;
    let name = object.metadata().name.as_deref().unwrap_or_default();
    let namespace_lives =
        client.get::<Namespace>("", namespace).is_some_and(|n| n.metadata.deletion_timestamp.is_none());
    if !namespace_lives || client.get::<K>(namespace, name).is_some() {
        return Ok(None);
    }
    if is_withheld() {
        return Ok(Some(LATE));
    }
    unless("AlreadyExists", client.create(object)).map(|()| None)
}

fn named(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), namespace: Some(namespace.to_owned()), ..ObjectMeta::default() }
}

fn explanation() -> BTreeMap<String, String> {
    let text = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such \
                as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions \
                of Kubernetes clusters.";
    BTreeMap::from([("kubernetes.io/description".to_owned(), text.to_owned())])
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;
    use crate::controllers::testing::Simulation;
    use crate::faults::PlantedFaults;

    #[test]
    fn pods_are_rejected_until_their_account_exists() {
        let mut simulation = Simulation::new("a");
        let late = json!([{"fault": "accountMissing", "of": "b", "times": 2}]);
        simulation.context.faults = PlantedFaults::new(serde_json::from_value(late).unwrap());
        simulation.create::<Namespace>(json!({"metadata": {"name": "b"}}));
        simulation.settle();
        let spec = json!({"containers": [{"name": "main", "image": "one"}]});
        let pod = json!({"metadata": {"name": "p", "namespace": "b"}, "spec": spec});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let refused = simulation.context.client.create(&pod).unwrap_err();
        assert_eq!(refused.code, 403);
        let why = "error looking up service account b/default: serviceaccount \"default\" not found";
        assert!(refused.message.ends_with(why), "{}", refused.message);
        assert!(
            simulation.context.client.get::<ConfigMap>("b", CERTIFICATE).is_some(),
            "it does not wait for the account"
        );
        simulation.later();
        simulation.later();
        simulation.context.client.create(&pod).unwrap();
    }
}
