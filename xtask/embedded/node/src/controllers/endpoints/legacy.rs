//! The older `Endpoints` object, which charts and clients still read.

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Backend, Groups, Port, is_headless, publishes_unready};
use crate::client::Client;
use crate::controllers::owners;
use crate::controllers::reconcile::unless;
use crate::registry::DeleteOptions;
use crate::status::Status;

/// Writes the object, which has the service's name.
pub fn write(client: &Client, service: &Service, groups: &Groups) -> Result<(), Status> {
    let (namespace, name) = owners::key(service);
    let subsets: Vec<_> = groups.iter().filter_map(|(ports, backends)| subset(service, ports, backends)).collect();
    let subsets = (!subsets.is_empty()).then_some(subsets);
    let Some(stored) = client.get::<Endpoints>(&namespace, &name) else {
        return client.create(&new(service, subsets)).map(|_| ());
    };
    let updated = client.modify(&stored, |stored: &mut Endpoints| {
        let changed = stored.subsets != subsets;
        stored.subsets.clone_from(&subsets);
        changed
    });
    updated.map(|_| ())
}

/// Removes the object of a deleted service.
pub fn remove(client: &Client, namespace: &str, name: &str) -> Result<(), Status> {
    let Some(stored) = client.get::<Endpoints>(namespace, name) else { return Ok(()) };
    unless("NotFound", client.delete(&stored, &DeleteOptions::default()))
}

fn new(service: &Service, subsets: Option<Vec<EndpointSubset>>) -> Endpoints {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert("endpoints.kubernetes.io/managed-by".to_owned(), "endpoint-controller".to_owned());
    if is_headless(service) {
        labels.insert("service.kubernetes.io/headless".to_owned(), String::new());
    }
    Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        subsets,
    }
}

fn subset(service: &Service, ports: &[Port], backends: &[Backend]) -> Option<EndpointSubset> {
    let published = publishes_unready(service);
    let mut listed: Vec<&Backend> = backends.iter().filter(|b| published || !b.terminating).collect();
    listed.sort_by(|a, b| a.ip.cmp(&b.ip));
    let (ready, unready): (Vec<_>, Vec<_>) = listed.into_iter().partition(|b| published || b.serving);
    if ready.is_empty() && unready.is_empty() {
        return None;
    }
    Some(EndpointSubset {
        addresses: addresses(&ready),
        not_ready_addresses: addresses(&unready),
        ports: subset_ports(ports),
    })
}

fn addresses(backends: &[&Backend]) -> Option<Vec<EndpointAddress>> {
    let address = |backend: &&Backend| EndpointAddress {
        ip: backend.ip.clone(),
        hostname: backend.hostname.clone(),
        node_name: backend.node.clone(),
        target_ref: Some(backend.pod.clone()),
    };
    (!backends.is_empty()).then(|| backends.iter().map(address).collect())
}

fn subset_ports(ports: &[Port]) -> Option<Vec<EndpointPort>> {
    let port = |port: &Port| EndpointPort {
        name: Some(port.name.clone()).filter(|name| !name.is_empty()),
        protocol: Some(port.protocol.clone()),
        port: port.number,
        app_protocol: port.app_protocol.clone(),
    };
    (!ports.is_empty()).then(|| ports.iter().map(port).collect())
}
