//! Cluster addresses and node ports of services.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::kinds::{self, Kind};
use crate::registry::value::{is_missing, items, items_mut, text};
use crate::registry::{Registry, Writer, validate};
use crate::status::Status;
use crate::store;

/// 10.96.0.0/16, as in kubeadm.
const NETWORK: [u8; 2] = [10, 96];
/// Lower addresses are reserved for services that request one explicitly.
const FIRST: u16 = 256;
/// The range of node ports.
const PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;

impl Registry {
    /// Gives a service its address and its node ports if it has none.
    pub(super) fn give_addresses(&self, writer: &Writer, service: &mut Value) -> Result<(), Status> {
        let Some(kind) = kinds::find("", "v1", "services") else { return Ok(()) };
        let own = store::key(service);
        let (services, _) = self.store.list(kind, None);
        let others: Vec<_> = services.iter().filter(|other| store::key(other) != own).collect();
        if text(&service["spec"], "type") != "ExternalName" {
            let taken = others.iter().map(|other| text(&other["spec"], "clusterIP").to_owned()).collect();
            give_address(writer, kind, service, &taken)?;
        }
        let taken = others.iter().flat_map(|other| items(&other["spec"], "ports"));
        let taken = taken.filter_map(|port| port["nodePort"].as_i64()).collect();
        give_ports(kind, service, taken)
    }
}

fn give_address(writer: &Writer, kind: &Kind, service: &mut Value, taken: &BTreeSet<String>) -> Result<(), Status> {
    let requested = text(&service["spec"], "clusterIP").to_owned();
    if requested == "None" {
        service["spec"]["clusterIPs"] = json!(["None"]);
        return Ok(());
    }
    let given = if requested.is_empty() {
        let free = (FIRST..u16::MAX).map(address).find(|address| !taken.contains(address));
        free.ok_or_else(|| Status::new(500, "InternalError", "failed to allocate a serviceIP: range is full"))?
    } else {
        let is_inside = requested.parse::<Ipv4Addr>().is_ok_and(|address| address.octets()[..2] == NETWORK);
        let name = store::key(service).1;
        let refuse = |why: &str| {
            let why = format!("failed to allocate IP {requested}: {why}");
            validate::invalid(kind, &name, vec![validate::Cause::bad("spec.clusterIPs", &json!([requested]), &why)])
        };
        if !is_inside && !writer.is_internal {
            return Err(refuse("the provided network does not match the current range"));
        }
        if taken.contains(&requested) {
            return Err(refuse("provided IP is already allocated"));
        }
        requested
    };
    service["spec"]["clusterIP"] = given.as_str().into();
    service["spec"]["clusterIPs"] = json!([given]);
    Ok(())
}

fn address(number: u16) -> String {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(NETWORK[0], NETWORK[1], high, low).to_string()
}

fn give_ports(kind: &Kind, service: &mut Value, mut taken: BTreeSet<i64>) -> Result<(), Status> {
    if !matches!(text(&service["spec"], "type"), "NodePort" | "LoadBalancer") {
        return Ok(());
    }
    let name = store::key(service).1;
    for (index, port) in items_mut(&mut service["spec"], "ports").enumerate() {
        match port["nodePort"].as_i64().filter(|requested| *requested != 0) {
            Some(requested) if !taken.insert(requested) => {
                let field = format!("spec.ports[{index}].nodePort");
                let cause = validate::Cause::bad(&field, &json!(requested), "provided port is already allocated");
                return Err(validate::invalid(kind, &name, vec![cause]));
            }
            Some(_) => {}
            None => {
                let free = PORTS.into_iter().find(|port| !taken.contains(port));
                let free = free.ok_or_else(|| Status::new(500, "InternalError", "failed to allocate a nodePort"))?;
                taken.insert(free);
                port["nodePort"] = free.into();
            }
        }
    }
    Ok(())
}

/// Keeps the values of fields that an update leaves out.
pub fn keep(stored: &Value, service: &mut Value) {
    let (was, is) = (text(&stored["spec"], "type"), text(&service["spec"], "type"));
    if is == "ExternalName" || was == "ExternalName" {
        return;
    }
    if is_missing(&service["spec"]["clusterIP"]) {
        service["spec"]["clusterIP"] = stored["spec"]["clusterIP"].clone();
    }
    if is_missing(&service["spec"]["clusterIPs"]) {
        service["spec"]["clusterIPs"] = stored["spec"]["clusterIPs"].clone();
    }
    let same = |port: &Value, other: &Value| port["port"] == other["port"] && port["protocol"] == other["protocol"];
    for port in items_mut(&mut service["spec"], "ports") {
        if is_missing(&port["nodePort"])
            && let Some(before) = items(&stored["spec"], "ports").find(|before| same(port, before))
            && is_kept_for(was)
            && !before["nodePort"].is_null()
        {
            port["nodePort"] = before["nodePort"].clone();
        }
    }
}

fn is_kept_for(kind: &str) -> bool {
    matches!(kind, "NodePort" | "LoadBalancer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_created_concurrently_have_different_addresses() {
        let registry = Registry::new();
        let kind = kinds::find("", "v1", "services").unwrap();
        let make = |number: usize| {
            let metadata = json!({ "name": format!("s{number}"), "namespace": "default" });
            let service = json!({ "metadata": metadata, "spec": { "ports": [{ "port": 80 }] } });
            let made = registry.create_as(&Writer::internal("test", ""), kind, service).unwrap();
            text(&made.object["spec"], "clusterIP").to_owned()
        };
        let addresses: BTreeSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|number| {
                    scope.spawn({
                        let make = &make;
                        move || make(number)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(addresses.len(), 16);
    }
}
