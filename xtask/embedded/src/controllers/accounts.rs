//! What every namespace has from the start: the service account `default` and the cluster's
//! certificate.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::reconcile::unless;
use super::{Context, Controller, Key, Outcome};
use crate::client::Client;
use crate::store::{self, Change, ChangeType};

const CERTIFICATE: &str = "kube-root-ca.crt";

/// Creates both, again where somebody deletes them.
pub const CONTROLLER: Controller = Controller { name: "serviceaccount", keys, reconcile };

fn keys(_: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    let deleted = change.change == ChangeType::Deleted;
    match change.kind.kind {
        "Namespace" if !deleted => vec![(String::new(), name)],
        "ServiceAccount" if deleted && name == "default" => vec![(String::new(), namespace)],
        "ConfigMap" if deleted && name == CERTIFICATE => vec![(String::new(), namespace)],
        _ => Vec::new(),
    }
}

fn reconcile(context: &Context, (_, namespace): &Key) -> Outcome {
    let client = &context.client;
    let alive = client.get::<Namespace>("", namespace).is_some_and(|n| n.metadata.deletion_timestamp.is_none());
    if !alive {
        return Ok(None);
    }
    let metadata = |name: &str| ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.clone()),
        ..ObjectMeta::default()
    };
    let account = ServiceAccount { metadata: metadata("default"), ..ServiceAccount::default() };
    let certificate = ConfigMap {
        metadata: ObjectMeta { annotations: Some(explanation()), ..metadata(CERTIFICATE) },
        data: Some(BTreeMap::from([("ca.crt".to_owned(), context.root_certificate.clone())])),
        ..ConfigMap::default()
    };
    unless("AlreadyExists", client.create(&account))?;
    unless("AlreadyExists", client.create(&certificate)).map(|()| None)
}

fn explanation() -> BTreeMap<String, String> {
    let text = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such \
                as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions \
                of Kubernetes clusters.";
    BTreeMap::from([("kubernetes.io/description".to_owned(), text.to_owned())])
}
