//! EndpointSlices of a service: one for each set of resolved ports.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Backend, Groups, Port, is_headless, publishes_unready};
use crate::client::Client;
use crate::controllers::owners;
use crate::registry::DeleteOptions;
use crate::status::Status;

/// The label that names a slice's service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";
const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Writes the slices of the groups; an empty one if there is no endpoint.
pub fn write(client: &Client, service: &Service, groups: &Groups) -> Result<(), Status> {
    let mut stored = stored(client, service);
    let placeholder = Groups::from([(Vec::new(), Vec::new())]);
    let groups = if groups.is_empty() { &placeholder } else { groups };
    let mut missing = Vec::new();
    for (ports, backends) in groups {
        let ports = slice_ports(ports);
        match stored.iter().position(|slice| slice.ports == ports) {
            Some(index) => update(client, service, &stored.swap_remove(index), ports.as_ref(), backends)?,
            None => missing.push((ports, backends)),
        }
    }
    for (ports, backends) in missing {
        match stored.pop() {
            Some(slice) => update(client, service, &slice, ports.as_ref(), backends)?,
            None => create(client, service, ports, backends)?,
        }
    }
    stored.iter().try_for_each(|slice| client.delete(slice, &DeleteOptions::default()))
}

fn stored(client: &Client, service: &Service) -> Vec<EndpointSlice> {
    let mut slices = client.list::<EndpointSlice>(service.metadata.namespace.as_deref());
    slices.retain(|slice| owners::is_controlled_by(&slice.metadata, service));
    slices
}

fn create(
    client: &Client,
    service: &Service,
    ports: Option<Vec<EndpointPort>>,
    backends: &[Backend],
) -> Result<(), Status> {
    let slice = EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", service.metadata.name.as_deref().unwrap_or_default())),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels(service)),
            owner_references: Some(vec![owners::controller_reference(service)]),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        endpoints: endpoints(service, &[], backends),
        ports,
    };
    client.create(&slice).map(|_| ())
}

fn update(
    client: &Client,
    service: &Service,
    slice: &EndpointSlice,
    ports: Option<&Vec<EndpointPort>>,
    backends: &[Backend],
) -> Result<(), Status> {
    let updated = client.modify(slice, |slice: &mut EndpointSlice| {
        let before = slice.clone();
        slice.endpoints = endpoints(service, before.endpoints.as_deref().unwrap_or_default(), backends);
        slice.ports = ports.cloned();
        slice.metadata.labels = Some(labels(service));
        *slice != before
    });
    updated.map(|_| ())
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_LABEL.to_owned(), service.metadata.name.clone().unwrap_or_default());
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGER.to_owned());
    if is_headless(service) {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels
}

fn slice_ports(ports: &[Port]) -> Option<Vec<EndpointPort>> {
    let ports: Vec<EndpointPort> = ports
        .iter()
        .map(|port| EndpointPort {
            name: Some(port.name.clone()),
            protocol: Some(port.protocol.clone()),
            port: Some(port.number),
            app_protocol: port.app_protocol.clone(),
        })
        .collect();
    (!ports.is_empty()).then_some(ports)
}

/// Returns the endpoints, in the order in which they were first seen.
fn endpoints(service: &Service, before: &[Endpoint], backends: &[Backend]) -> Option<Vec<Endpoint>> {
    let place = |backend: &Backend| {
        let known = before.iter().position(|e| e.target_ref.as_ref().is_some_and(|t| t.uid == backend.pod.uid));
        known.unwrap_or(usize::MAX)
    };
    let mut ordered: Vec<&Backend> = backends.iter().collect();
    ordered.sort_by_key(|backend| place(backend));
    (!ordered.is_empty()).then(|| ordered.into_iter().map(|backend| endpoint(service, backend)).collect())
}

fn endpoint(service: &Service, backend: &Backend) -> Endpoint {
    let ready = publishes_unready(service) || backend.serving && !backend.terminating;
    Endpoint {
        addresses: vec![backend.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            serving: Some(backend.serving),
            terminating: Some(backend.terminating),
        }),
        hostname: backend.hostname.clone(),
        node_name: backend.node.clone(),
        target_ref: Some(backend.pod.clone()),
        ..Endpoint::default()
    }
}
