//! The addresses to listen on, and the endpoints behind each.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use super::address;
use crate::client::Client;

/// The default timeout of `sessionAffinity: ClientIP`.
const AFFINITY_S: u64 = 10_800;

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Packets.
    Udp,
}

impl Protocol {
    /// Returns the protocol of a port, or `None` if it is not supported.
    fn of(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("TCP") => Some(Self::Tcp),
            Some("UDP") => Some(Self::Udp),
            Some(_) => None,
        }
    }
}

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxiedPort {
    /// Its service, preceded by the namespace.
    pub name: String,
    namespace: String,
    service: String,
    port: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// How long a client stays with its endpoint.
    pub affinity: Option<Duration>,
}

/// Returns the addresses of all services that have an endpoint, or whose connections a fault diverts if they have none.
pub fn targets(client: &Client, is_diverted: impl Fn(&str) -> bool) -> HashMap<(SocketAddrV4, Protocol), ProxiedPort> {
    let slices = client.list::<EndpointSlice>(None);
    let mut targets = HashMap::new();
    for service in client.list::<Service>(None) {
        for (address, target) in of_service(&service) {
            if !ready(&slices, &target).is_empty() || is_diverted(&target.service) {
                targets.insert((address, target.protocol), target);
            }
        }
    }
    targets
}

fn of_service(service: &Service) -> Vec<(SocketAddrV4, ProxiedPort)> {
    let spec = service.spec.clone().unwrap_or_default();
    let Some(ip) = spec.cluster_ip.as_ref().and_then(|ip| ip.parse::<Ipv4Addr>().ok()) else { return Vec::new() };
    let ports = spec.ports.iter().flatten();
    ports.filter_map(|port| Some((address(ip, port.port)?, target(service, port)?))).collect()
}

fn target(service: &Service, port: &ServicePort) -> Option<ProxiedPort> {
    let protocol = Protocol::of(port.protocol.as_deref())?;
    let namespace = service.metadata.namespace.clone().unwrap_or_default();
    let name = service.metadata.name.clone().unwrap_or_default();
    Some(ProxiedPort {
        name: format!("{namespace}/{name}"),
        namespace,
        service: name,
        port: port.name.clone().unwrap_or_default(),
        protocol,
        affinity: affinity(service),
    })
}

impl ProxiedPort {
    /// Returns the service's own name.
    pub fn service(&self) -> &str {
        &self.service
    }
}

fn affinity(service: &Service) -> Option<Duration> {
    let spec = service.spec.as_ref().filter(|s| s.session_affinity.as_deref() == Some("ClientIP"))?;
    let config = spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref());
    let seconds = config.and_then(|c| c.timeout_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    Some(Duration::from_secs(seconds.unwrap_or(AFFINITY_S)))
}

/// Returns where a connection can go now.
pub fn endpoints(client: &Client, target: &ProxiedPort) -> Vec<SocketAddr> {
    ready(&client.list::<EndpointSlice>(Some(&target.namespace)), target)
}

/// Returns the ready endpoints, or, if there are none, those that still serve while they terminate.
fn ready(slices: &[EndpointSlice], target: &ProxiedPort) -> Vec<SocketAddr> {
    let is = |flag: fn(&k8s_openapi::api::discovery::v1::EndpointConditions) -> Option<bool>, unset| {
        move |e: &Endpoint| e.conditions.as_ref().and_then(flag).unwrap_or(unset)
    };
    let ready = addresses(slices, target, is(|c| c.ready, true));
    if !ready.is_empty() {
        return ready;
    }
    let (serving, terminating) = (is(|c| c.serving, false), is(|c| c.terminating, false));
    addresses(slices, target, |e| serving(e) && terminating(e))
}

fn addresses(slices: &[EndpointSlice], target: &ProxiedPort, wanted: impl Fn(&Endpoint) -> bool) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for slice in slices.iter().filter(|slice| belongs(slice, target)) {
        let carried = |p: &&EndpointPort| Protocol::of(p.protocol.as_deref()) == Some(target.protocol);
        let ports = slice.ports.iter().flatten().filter(carried);
        let numbers = ports.filter(|p| p.name.as_deref().unwrap_or_default() == target.port).filter_map(|p| p.port);
        for number in numbers {
            let ips = slice.endpoints.iter().flatten().filter(|e| wanted(e)).filter_map(|e| e.addresses.first());
            found.extend(ips.filter_map(|ip| Some(SocketAddr::V4(address(ip.parse().ok()?, number)?))));
        }
    }
    found
}

fn belongs(slice: &EndpointSlice, target: &ProxiedPort) -> bool {
    let labels = slice.metadata.labels.as_ref();
    let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
    slice.metadata.namespace.as_ref() == Some(&target.namespace) && service == Some(&target.service)
}
