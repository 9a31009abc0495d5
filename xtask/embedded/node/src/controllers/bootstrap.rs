//! What a new cluster contains: namespaces, roles, a storage class, the API's own service.

use std::collections::BTreeMap;

use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::{
    ComponentCondition, ComponentStatus, EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Namespace, Service,
    ServicePort, ServiceSpec,
};
use k8s_openapi::api::discovery::v1::{self as discovery, EndpointSlice};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::reconcile::unless;
use super::volumes::{DEFAULT_CLASS, PROVISIONER};
use super::{api_services, default_roles};
use crate::addresses::{API_PORT, GATEWAY, KUBERNETES_IP};
use crate::client::{Client, Object};
use crate::status::Status;

/// Creates the namespaces, the default roles and their bindings, the storage class `standard` and the service `kubernetes`.
///
/// # Errors
/// If the API rejects one of them.
pub fn run(client: &Client) -> Result<(), Status> {
    let client = &client.of("kube-apiserver");
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        create(client, &Namespace { metadata: named(name), ..Namespace::default() })?;
    }
    for role in default_roles::cluster_roles()? {
        create(client, &role)?;
    }
    for binding in default_roles::cluster_role_bindings()? {
        create(client, &binding)?;
    }
    create(client, &default_roles::authentication_reader()?)?;
    for name in ["controller-manager", "scheduler", "etcd-0"] {
        create(client, &component(name))?;
    }
    api_services::create_local(client)?;
    create(client, &storage_class())?;
    create(client, &kubernetes_service())?;
    create(client, &kubernetes_endpoints())?;
    create(client, &kubernetes_slice())
}

fn create<K: Object>(client: &Client, object: &K) -> Result<(), Status> {
    unless("AlreadyExists", client.create(object))
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

/// Returns the status of a part of the control plane, all of which is this process.
fn component(name: &str) -> ComponentStatus {
    let healthy = ComponentCondition {
        type_: "Healthy".to_owned(),
        status: "True".to_owned(),
        message: Some("ok".to_owned()),
        error: None,
    };
    ComponentStatus { metadata: named(name), conditions: Some(vec![healthy]) }
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

/// Returns metadata for the objects of the API's own service.
fn of_kubernetes(labels: &[(&str, &str)]) -> ObjectMeta {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ObjectMeta { namespace: Some("default".to_owned()), labels: Some(labels.collect()), ..named("kubernetes") }
}

fn kubernetes_endpoints() -> Endpoints {
    let port = EndpointPort {
        name: Some("https".to_owned()),
        port: i32::from(API_PORT),
        protocol: Some("TCP".to_owned()),
        app_protocol: None,
    };
    let subset = EndpointSubset {
        addresses: Some(vec![EndpointAddress { ip: GATEWAY.to_string(), ..EndpointAddress::default() }]),
        ports: Some(vec![port]),
        not_ready_addresses: None,
    };
    let metadata = of_kubernetes(&[("endpointslice.kubernetes.io/skip-mirror", "true")]);
    Endpoints { metadata, subsets: Some(vec![subset]) }
}

fn kubernetes_slice() -> EndpointSlice {
    let port = discovery::EndpointPort {
        name: Some("https".to_owned()),
        port: Some(i32::from(API_PORT)),
        protocol: Some("TCP".to_owned()),
        app_protocol: None,
    };
    let endpoint = discovery::Endpoint {
        addresses: vec![GATEWAY.to_string()],
        conditions: Some(discovery::EndpointConditions { ready: Some(true), ..Default::default() }),
        ..discovery::Endpoint::default()
    };
    EndpointSlice {
        metadata: of_kubernetes(&[("kubernetes.io/service-name", "kubernetes")]),
        address_type: "IPv4".to_owned(),
        endpoints: Some(vec![endpoint]),
        ports: Some(vec![port]),
    }
}

fn kubernetes_service() -> Service {
    let port = ServicePort {
        name: Some("https".to_owned()),
        protocol: Some("TCP".to_owned()),
        port: 443,
        target_port: Some(IntOrString::Int(i32::from(API_PORT))),
        ..ServicePort::default()
    };
    Service {
        metadata: of_kubernetes(&[("component", "apiserver"), ("provider", "kubernetes")]),
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
