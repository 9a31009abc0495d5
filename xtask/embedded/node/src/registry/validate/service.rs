//! Services.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cause, immutable, meta, names, one_of};
use crate::registry::value::{is_missing, items, text};

/// Returns what is wrong with a Service.
pub fn service(service: &Value) -> Vec<Cause> {
    let spec = &service["spec"];
    let mut causes = Vec::new();
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(spec, "type", "spec", &types, &mut causes);
    one_of(spec, "sessionAffinity", "spec", &["ClientIP", "None"], &mut causes);
    causes.extend(meta::labels(&spec["selector"], "spec.selector"));
    let is_named = text(spec, "type") == "ExternalName";
    let is_headless = text(spec, "clusterIP") == "None";
    let ports: Vec<&Value> = items(spec, "ports").collect();
    if ports.is_empty() && !is_named && !is_headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    if is_named && text(spec, "externalName").is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    let mut seen = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        check_port(port, &format!("spec.ports[{index}]"), ports.len() > 1, &mut seen, &mut causes);
    }
    causes
}

/// Names, and ports by protocol, that were seen.
type SeenPorts = (BTreeSet<String>, BTreeSet<String>);

fn check_port(port: &Value, path: &str, needs_name: bool, seen: &mut SeenPorts, causes: &mut Vec<Cause>) {
    let name = text(port, "name");
    if name.is_empty() && needs_name {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else if !name.is_empty() {
        let faults = names::label(name);
        causes.extend(faults.iter().map(|fault| Cause::bad(format!("{path}.name"), &json!(name), fault)));
        if !seen.0.insert(name.to_owned()) {
            causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
        }
    }
    let range = "must be between 1 and 65535, inclusive";
    if !port["port"].as_i64().is_some_and(|number| (1..=65535).contains(&number)) {
        causes.push(Cause::bad(format!("{path}.port"), &json!(port["port"].as_i64().unwrap_or(0)), range));
    }
    one_of(port, "protocol", path, &["SCTP", "TCP", "UDP"], causes);
    let field = format!("{path}.targetPort");
    match &port["targetPort"] {
        Value::Number(number) if !number.as_i64().is_some_and(|number| (1..=65535).contains(&number)) => {
            causes.push(Cause::bad(field, &port["targetPort"], range));
        }
        Value::String(name) => {
            causes.extend(names::port(name).iter().map(|fault| Cause::bad(&field, &json!(name), fault)));
        }
        _ => {}
    }
    let key = format!("{}/{}", port["port"], port["protocol"]);
    if !seen.1.insert(key) {
        let value = json!({"port": port["port"], "protocol": port["protocol"]});
        causes.push(Cause::duplicate(path, &value));
    }
}

/// Returns what is wrong with a Service that replaces another.
pub fn changed(stored: &Value, service: &Value) -> Vec<Cause> {
    let address = |service: &Value| service["spec"]["clusterIP"].clone();
    let is_named = |service: &Value| text(&service["spec"], "type") == "ExternalName";
    let (before, after) = (address(stored), address(service));
    let mut causes = immutable::service_changed(stored, service);
    if !(is_named(stored) || is_named(service) || is_missing(&before) || before == after) {
        causes.push(Cause::bad("spec.clusterIPs[0]", &json!([after]), "may not change once set"));
    }
    causes
}
