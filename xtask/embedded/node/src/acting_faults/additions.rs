//! A planted fault: the cluster itself puts objects into namespaces, as `OpenShift` and Istio do.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::client::Client;
use crate::controllers::reconcile::unless;
use crate::controllers::{Controller, ControllerContext, Key, ReconcileResult, clock};
use crate::store::{self, Change, ChangeType};

/// Creates them, and recreates them if somebody deletes them.
pub static CONTROLLER: Controller = Controller { name: "planted-additions", keys, reconcile };

fn keys(_: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    let deleted = change.change == ChangeType::Deleted;
    match change.kind.built_in() {
        "Namespace" if !deleted => vec![(String::new(), name)],
        "ConfigMap" if deleted => vec![(String::new(), namespace)],
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (_, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some((added, after_s)) = context.faults.addition(name) else { return Ok(None) };
    let namespace = client.get::<Namespace>("", name).filter(|found| found.metadata.deletion_timestamp.is_none());
    let Some(namespace) = namespace else { return Ok(None) };
    let young = namespace.metadata.creation_timestamp.as_ref();
    if let Some(left) = young.and_then(|created| clock::remaining(created, clock::seconds(after_s))) {
        return Ok(Some(left));
    }
    let metadata = ObjectMeta { name: Some(added), namespace: Some(name.clone()), ..ObjectMeta::default() };
    let config_map = ConfigMap { metadata, ..ConfigMap::default() };
    unless("AlreadyExists", client.of("planted-additions").create(&config_map)).map(|()| None)
}
