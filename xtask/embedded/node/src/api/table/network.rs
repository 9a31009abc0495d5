//! Columns of services and of what belongs to them.

use serde_json::Value;

use super::{AGE, Column, NAME, column, items, labels, number, or_none, text, wide};

/// Columns of a Service.
pub const SERVICE: &[Column] = &[
    NAME,
    column("Type", |service| service["spec"]["type"].clone()),
    column("Cluster-IP", |service| or_none(&text(service, "/spec/clusterIP"))),
    column("External-IP", |service| match text(service, "/spec/type").as_str() {
        "ExternalName" => text(service, "/spec/externalName").into(),
        "LoadBalancer" => "<pending>".into(),
        _ => "<none>".into(),
    }),
    column("Port(s)", |service| or_none(&ports(service))),
    AGE,
    wide("Selector", |service| or_none(&labels(&service["spec"]["selector"]))),
];

fn ports(service: &Value) -> String {
    let ports = items(service, "/spec/ports").map(|port| {
        let (number_, node, protocol) = (number(port, "/port"), number(port, "/nodePort"), text(port, "/protocol"));
        if node == 0 { format!("{number_}/{protocol}") } else { format!("{number_}:{node}/{protocol}") }
    });
    ports.collect::<Vec<_>>().join(",")
}

/// How many endpoints are listed.
const SHOWN_MAX: usize = 3;

/// Columns of Endpoints.
pub const ENDPOINTS: &[Column] = &[NAME, column("Endpoints", |endpoints| or_none(&addresses(endpoints))), AGE];

fn addresses(endpoints: &Value) -> String {
    let mut shown = Vec::new();
    for subset in items(endpoints, "/subsets") {
        let ports: Vec<i64> = items(subset, "/ports").map(|port| number(port, "/port")).collect();
        for address in items(subset, "/addresses") {
            let ip = text(address, "/ip");
            if ports.is_empty() {
                shown.push(ip);
            } else {
                shown.extend(ports.iter().map(|port| format!("{ip}:{port}")));
            }
        }
    }
    shortened(&shown)
}

fn shortened(all: &[String]) -> String {
    let shown = all[..all.len().min(SHOWN_MAX)].join(",");
    if all.len() > SHOWN_MAX { format!("{shown} + {} more...", all.len() - SHOWN_MAX) } else { shown }
}

/// Columns of an `EndpointSlice`.
pub const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    column("AddressType", |slice| slice["addressType"].clone()),
    column("Ports", |slice| {
        let ports: Vec<String> = items(slice, "/ports").map(|port| number(port, "/port").to_string()).collect();
        if ports.is_empty() { "<unset>".into() } else { ports.join(",").into() }
    }),
    column("Endpoints", |slice| {
        let addresses: Vec<String> =
            items(slice, "/endpoints").map(|endpoint| text(endpoint, "/addresses/0")).collect();
        if addresses.is_empty() { "<unset>".into() } else { shortened(&addresses).into() }
    }),
    AGE,
];

/// Columns of an Ingress.
pub const INGRESS: &[Column] = &[
    NAME,
    column("Class", |ingress| or_none(&text(ingress, "/spec/ingressClassName"))),
    column("Hosts", |ingress| {
        let hosts: Vec<String> =
            items(ingress, "/spec/rules").map(|rule| text(rule, "/host")).filter(|h| !h.is_empty()).collect();
        if hosts.is_empty() { "*".into() } else { shortened(&hosts).into() }
    }),
    column("Address", |_| "".into()),
    column(
        "Ports",
        |ingress| if items(ingress, "/spec/tls").next().is_some() { "80, 443".into() } else { "80".into() },
    ),
    AGE,
];

/// Columns of a `NetworkPolicy`.
pub const POLICY: &[Column] =
    &[NAME, column("Pod-Selector", |policy| or_none(&labels(&policy["spec"]["podSelector"]["matchLabels"]))), AGE];
