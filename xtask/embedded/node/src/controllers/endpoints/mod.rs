//! Endpoints and EndpointSlices: which pods are behind a service, on which ports.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Controller, ControllerContext, Key, ReconcileResult, pods};
use crate::client::Client;
use crate::selector;
use crate::store::{self, Change};

mod legacy;
mod slices;
#[cfg(test)]
mod tests;

/// Maintains `Endpoints` and `EndpointSlices` of services with a selector.
pub const CONTROLLER: Controller = Controller { name: "endpoints", keys, reconcile };

/// One pod behind a service.
#[derive(Debug, Clone)]
struct Backend {
    ip: String,
    hostname: Option<String>,
    node: Option<String>,
    pod: ObjectReference,
    serving: bool,
    terminating: bool,
}

/// A port of a service, on the pods that resolve it to the same number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Port {
    name: String,
    protocol: String,
    number: i32,
    app_protocol: Option<String>,
}

/// Pods, grouped by the numbers that they resolve the service's ports to; usually one group.
type Groups = BTreeMap<Vec<Port>, Vec<Backend>>;

/// Returns the service itself; for a pod, the services that select it now or did before.
fn keys(client: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    match change.kind.built_in() {
        "Service" | "Endpoints" => vec![(namespace, name)],
        "EndpointSlice" => {
            let service = change.object["metadata"]["labels"][slices::SERVICE_LABEL].as_str();
            service.map(|service| (namespace, service.to_owned())).into_iter().collect()
        }
        "Pod" => {
            let stages = [Some(&change.object), change.previous.as_ref()];
            let labels: Vec<BTreeMap<String, String>> =
                stages.into_iter().flatten().map(|pod| labels(&pod["metadata"]["labels"])).collect();
            let services = client.list::<Service>(Some(&namespace)).into_iter();
            let selecting = services.filter(|s| labels.iter().any(|labels| selects(s, labels)));
            selecting.filter_map(|s| Some((namespace.clone(), s.metadata.name?))).collect()
        }
        _ => Vec::new(),
    }
}

fn labels(value: &serde_json::Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn selects(service: &Service, labels: &BTreeMap<String, String>) -> bool {
    let wanted = service.spec.as_ref().and_then(|s| s.selector.as_ref());
    wanted.is_some_and(|wanted| selector::matches_map(wanted, Some(labels)))
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(service) = client.get::<Service>(namespace, name) else {
        legacy::remove(client, namespace, name)?;
        return Ok(None);
    };
    let selecting = service.spec.as_ref().is_some_and(|s| s.selector.as_ref().is_some_and(|s| !s.is_empty()));
    if !selecting || is_external_name(&service) {
        return Ok(None);
    }
    let groups = groups(client, &service);
    slices::write(client, &service, &groups)?;
    legacy::write(client, &service, &groups)?;
    Ok(None)
}

fn is_external_name(service: &Service) -> bool {
    service.spec.as_ref().and_then(|s| s.type_.as_deref()) == Some("ExternalName")
}

/// Returns whether a service has no address of its own.
fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|s| s.cluster_ip.as_deref()) == Some("None")
}

/// Returns whether a service includes pods before they are ready.
fn publishes_unready(service: &Service) -> bool {
    service.spec.as_ref().and_then(|s| s.publish_not_ready_addresses) == Some(true)
}

fn groups(client: &Client, service: &Service) -> Groups {
    let mut groups = Groups::new();
    for pod in client.list::<Pod>(service.metadata.namespace.as_deref()) {
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        if !selects(service, &labels) || pods::is_finished(&pod) {
            continue;
        }
        if let Some(backend) = backend(service, &pod) {
            groups.entry(resolved_ports(service, &pod)).or_default().push(backend);
        }
    }
    groups
}

/// Returns the pod as an endpoint, or `None` before it has an IP.
fn backend(service: &Service, pod: &Pod) -> Option<Backend> {
    let spec = pod.spec.as_ref()?;
    let ip = pod.status.as_ref()?.pod_ip.clone().filter(|ip| !ip.is_empty())?;
    let in_subdomain = spec.subdomain.is_some() && spec.subdomain == service.metadata.name;
    let reference = ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    };
    Some(Backend {
        ip,
        hostname: spec.hostname.clone().filter(|name| in_subdomain && !name.is_empty()),
        node: spec.node_name.clone(),
        pod: reference,
        serving: pods::is_ready(pod),
        terminating: pods::is_terminating(pod),
    })
}

fn resolved_ports(service: &Service, pod: &Pod) -> Vec<Port> {
    let ports = service.spec.iter().filter_map(|s| s.ports.as_ref()).flatten();
    ports.filter_map(|port| resolve(port, pod)).collect()
}

fn resolve(port: &ServicePort, pod: &Pod) -> Option<Port> {
    let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    let number = match &port.target_port {
        None | Some(IntOrString::Int(0)) => port.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => named_port(pod, name, &protocol)?,
    };
    let name = port.name.clone().unwrap_or_default();
    Some(Port { name, protocol, number, app_protocol: port.app_protocol.clone() })
}

fn named_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let sidecars = spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).filter_map(|c: &Container| c.ports.as_ref()).flatten();
    let mut named = ports.filter(|p| p.name.as_deref() == Some(name));
    named.find(|p| p.protocol.as_deref().unwrap_or("TCP") == protocol).map(|p| p.container_port)
}
