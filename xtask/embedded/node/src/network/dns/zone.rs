//! What the names of `cluster.local` resolve to, according to the DNS specification for Kubernetes.

use std::net::Ipv4Addr;

use hickory_proto::rr::RecordType;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::message::{Query, Record, RecordData, Response, ZONE};
use crate::client::Client;

/// Answers a question from what is stored now.
pub fn look_up(client: &Client, query: &Query) -> Response {
    if let Some(address) = query.name.strip_suffix(".in-addr.arpa") {
        return reverse(client, query, address);
    }
    let inside = query.name.strip_suffix(ZONE);
    let Some(inside) = inside.filter(|inside| inside.is_empty() || inside.ends_with('.')) else {
        return Response::refused();
    };
    let labels: Vec<&str> = inside.split('.').filter(|label| !label.is_empty()).collect();
    let found = match labels.as_slice() {
        [] | ["svc" | "pod"] => Some(Vec::new()),
        [namespace, "svc" | "pod"] => client.get::<Namespace>("", namespace).map(|_| Vec::new()),
        [dashed, namespace, "pod"] => pod(client, query, namespace, dashed),
        [service, namespace, "svc"] => find(client, query, namespace, service, &Part::Whole),
        [host, service, namespace, "svc"] => find(client, query, namespace, service, &Part::Host(host)),
        [port, protocol, service, namespace, "svc"] => {
            let named = port.strip_prefix('_').zip(protocol.strip_prefix('_'));
            named.and_then(|(port, protocol)| find(client, query, namespace, service, &Part::Port(port, protocol)))
        }
        _ => None,
    };
    match found {
        None => Response::no_such_name(),
        Some(records) => with_addresses(client, records),
    }
}

/// The part of a service that is requested.
enum Part<'a> {
    Whole,
    Host(&'a str),
    Port(&'a str, &'a str),
}

/// Resolves the name of an address in the pods' subdomain, which contains the address.
fn pod(client: &Client, query: &Query, namespace: &str, dashed: &str) -> Option<Vec<Record>> {
    let address: Ipv4Addr = dashed.replace('-', ".").parse().ok()?;
    client.get::<Namespace>("", namespace)?;
    Some(if query.wants(RecordType::A) { vec![RecordData::A(address).into()] } else { Vec::new() })
}

fn find(client: &Client, query: &Query, namespace: &str, name: &str, part: &Part) -> Option<Vec<Record>> {
    let service = client.get::<Service>(namespace, name)?;
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        let target = spec.external_name.clone().filter(|_| matches!(part, Part::Whole))?;
        return Some(vec![RecordData::Cname(target.trim_end_matches('.').to_owned()).into()]);
    }
    let address: Option<Ipv4Addr> = spec.cluster_ip.as_ref().and_then(|ip| ip.parse().ok());
    match (address, part) {
        (Some(address), Part::Whole | Part::Port(..)) => own_address(query, &service, namespace, name, address, part),
        _ => endpoints(client, query, namespace, name, part),
    }
}

/// Resolves a service with an address to that address, regardless of its endpoints.
fn own_address(
    query: &Query,
    service: &Service,
    namespace: &str,
    name: &str,
    address: Ipv4Addr,
    part: &Part,
) -> Option<Vec<Record>> {
    let ports = service.spec.iter().filter_map(|s| s.ports.as_ref()).flatten();
    let requested = ports.filter(|port| {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        part.has_port(port.name.as_deref().unwrap_or_default(), protocol)
    });
    let host = format!("{name}.{namespace}.svc.{ZONE}");
    let mut records: Vec<Record> = Vec::new();
    let mut any = matches!(part, Part::Whole);
    for port in requested {
        any = true;
        if query.wants(RecordType::SRV) {
            records.push(RecordData::Srv(u16::try_from(port.port).unwrap_or(0), host.clone()).into());
        }
    }
    if any && query.wants(RecordType::A) {
        records.push(RecordData::A(address).into());
    }
    any.then_some(records)
}

impl Part<'_> {
    fn has_port(&self, name: &str, protocol: &str) -> bool {
        match self {
            Part::Port(wanted, of) => *wanted == name && of.eq_ignore_ascii_case(protocol),
            _ => true,
        }
    }
}

/// Resolves a service without an address to its ready pods, or one of them. If none is ready, there is no such name, as
/// in `CoreDNS`.
fn endpoints(client: &Client, query: &Query, namespace: &str, name: &str, part: &Part) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut any = false;
    for slice in slices(client, namespace, name) {
        let ports: Vec<u16> = slice
            .ports
            .iter()
            .flatten()
            .filter(|p| part.has_port(p.name.as_deref().unwrap_or_default(), p.protocol.as_deref().unwrap_or("TCP")))
            .filter_map(|p| u16::try_from(p.port?).ok())
            .collect();
        if matches!(part, Part::Port(..)) && ports.is_empty() {
            continue;
        }
        for (host, address) in hosts(&slice, part) {
            any = true;
            if query.wants(RecordType::A) {
                records.push(RecordData::A(address).into());
            }
            if query.wants(RecordType::SRV) {
                let target = format!("{host}.{name}.{namespace}.svc.{ZONE}");
                records.extend(ports.iter().map(|port| Record::from(RecordData::Srv(*port, target.clone()))));
            }
        }
    }
    any.then_some(records)
}

fn slices(client: &Client, namespace: &str, service: &str) -> Vec<EndpointSlice> {
    let mut slices = client.list::<EndpointSlice>(Some(namespace));
    slices.retain(|slice| {
        let labels = slice.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get("kubernetes.io/service-name")).is_some_and(|name| name == service)
    });
    slices
}

fn hosts(slice: &EndpointSlice, part: &Part) -> Vec<(String, Ipv4Addr)> {
    let ready = |e: &&Endpoint| e.conditions.as_ref().and_then(|c| c.ready) != Some(false);
    let endpoints = slice.endpoints.iter().flatten().filter(ready);
    let hosts = endpoints.filter_map(|e| {
        let address: Ipv4Addr = e.addresses.first()?.parse().ok()?;
        let host = e.hostname.clone().unwrap_or_else(|| address.to_string().replace('.', "-"));
        Some((host, address))
    });
    hosts.filter(|(host, _)| !matches!(part, Part::Host(wanted) if wanted != host)).collect()
}

/// Adds the addresses of the hosts in the records.
fn with_addresses(client: &Client, records: Vec<Record>) -> Response {
    let mut response = Response::records(records);
    let mut known = Vec::new();
    for record in &response.answers {
        let RecordData::Srv(_, host) = &record.data else { continue };
        if known.contains(host) {
            continue;
        }
        known.push(host.clone());
        let labels: Vec<&str> = host.split('.').collect();
        let addresses: Vec<Ipv4Addr> = match labels.as_slice() {
            [host, service, namespace, "svc", ..] => {
                let part = Part::Host(host);
                slices(client, namespace, service).iter().flat_map(|s| hosts(s, &part)).map(|(_, a)| a).collect()
            }
            [service, namespace, "svc", ..] => own_ip(client, namespace, service).into_iter().collect(),
            _ => Vec::new(),
        };
        let owned = |address| Record { owner: Some(host.clone()), data: RecordData::A(address) };
        response.additional.extend(addresses.into_iter().map(owned));
    }
    response
}

fn own_ip(client: &Client, namespace: &str, service: &str) -> Option<Ipv4Addr> {
    client.get::<Service>(namespace, service)?.spec?.cluster_ip?.parse().ok()
}

/// Returns the name of an address of the cluster.
fn reverse(client: &Client, query: &Query, reversed: &str) -> Response {
    let mut octets: Vec<&str> = reversed.split('.').collect();
    octets.reverse();
    let Ok(address) = octets.join(".").parse::<Ipv4Addr>() else { return Response::refused() };
    if !matches!(address.octets(), [10, 96 | 244, ..]) {
        return Response::refused();
    }
    match name_of(client, address) {
        None => Response::no_such_name(),
        Some(name) if query.wants(RecordType::PTR) => Response::records(vec![RecordData::Ptr(name).into()]),
        Some(_) => Response::records(Vec::new()),
    }
}

fn name_of(client: &Client, address: Ipv4Addr) -> Option<String> {
    let text = address.to_string();
    let services = client.list::<Service>(None).into_iter();
    let mut own = services.filter(|s| s.spec.as_ref().and_then(|s| s.cluster_ip.as_ref()) == Some(&text));
    if let Some(service) = own.next() {
        return Some(format!("{}.{}.svc.{ZONE}", service.metadata.name?, service.metadata.namespace?));
    }
    let slices = client.list::<EndpointSlice>(None).into_iter();
    slices.into_iter().find_map(|slice| {
        let (host, _) = hosts(&slice, &Part::Whole).into_iter().find(|(_, a)| *a == address)?;
        let service = slice.metadata.labels?.remove("kubernetes.io/service-name")?;
        Some(format!("{host}.{service}.{}.svc.{ZONE}", slice.metadata.namespace?))
    })
}
