//! What a cluster has before anybody asks for anything.

use std::collections::BTreeMap;

use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::{Namespace, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::reconcile::unless;
use super::volumes::{DEFAULT_CLASS, PROVISIONER};
use crate::client::{Client, Object};
use crate::network::KUBERNETES_IP;
use crate::status::Status;

/// Creates the namespaces, the storage class `standard` and the service `kubernetes`.
///
/// # Errors
/// Where the API refuses one of them.
pub fn run(client: &Client) -> Result<(), Status> {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        create(client, &Namespace { metadata: named(name), ..Namespace::default() })?;
    }
    create(client, &storage_class())?;
    create(client, &kubernetes_service())
}

fn create<K: Object>(client: &Client, object: &K) -> Result<(), Status> {
    unless("AlreadyExists", client.create(object))
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

fn storage_class() -> StorageClass {
    let mut class = StorageClass {
        metadata: named("standard"),
        provisioner: PROVISIONER.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    };
    class.metadata_mut().annotations = Some(BTreeMap::from([(DEFAULT_CLASS.to_owned(), "true".to_owned())]));
    class
}

fn kubernetes_service() -> Service {
    let labels = [("component", "apiserver"), ("provider", "kubernetes")];
    let port = ServicePort {
        name: Some("https".to_owned()),
        protocol: Some("TCP".to_owned()),
        port: 443,
        target_port: Some(IntOrString::Int(6443)),
        ..ServicePort::default()
    };
    Service {
        metadata: ObjectMeta {
            namespace: Some("default".to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..named("kubernetes")
        },
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: Some(KUBERNETES_IP.to_string()),
            cluster_ips: Some(vec![KUBERNETES_IP.to_string()]),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
