//! Containers: names, images, ports, environment, mounts, probes, resources.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cause, names, not_negative, one_of};
use crate::registry::value::{is_missing, items, text};
use resources::quantity;

const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";

/// Checks a container at `path`, whose pod has these volumes.
pub fn check(container: &Value, path: &str, volumes: &BTreeSet<String>, is_init: bool, causes: &mut Vec<Cause>) {
    let name = text(container, "name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else {
        let faults = names::label(name);
        causes.extend(faults.iter().map(|fault| Cause::bad(format!("{path}.name"), &json!(name), fault)));
    }
    let image = text(container, "image");
    if image.is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    } else if image.trim() != image {
        let why = "must not have leading or trailing whitespace";
        causes.push(Cause::bad(format!("{path}.image"), &json!(image), why));
    }
    one_of(container, "imagePullPolicy", path, &["Always", "IfNotPresent", "Never"], causes);
    one_of(container, "terminationMessagePolicy", path, &["FallbackToLogsOnError", "File"], causes);
    ports(container, path, causes);
    environment(container, path, causes);
    mounts(container, path, volumes, causes);
    resources(&container["resources"], &format!("{path}.resources"), causes);
    let is_sidecar = text(container, "restartPolicy") == "Always";
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[field].is_null() {
            continue;
        }
        if is_init && !is_sidecar {
            causes.push(Cause::forbidden(
                format!("{path}.{field}"),
                "may not be set for init containers without restartPolicy=Always",
            ));
            continue;
        }
        probe(&container[field], field, &format!("{path}.{field}"), causes);
    }
    for hook in ["postStart", "preStop"] {
        let handler = &container["lifecycle"][hook];
        if !handler.is_null() {
            self::handler(
                handler,
                &["exec", "httpGet", "tcpSocket", "sleep"],
                &format!("{path}.lifecycle.{hook}"),
                causes,
            );
        }
    }
}

fn ports(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (index, port) in items(container, "ports").enumerate() {
        let path = format!("{path}.ports[{index}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let faults = names::port(name);
            causes.extend(faults.iter().map(|fault| Cause::bad(format!("{path}.name"), &json!(name), fault)));
            if !seen.insert(name.to_owned()) {
                causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
            }
        }
        match port["containerPort"].as_i64() {
            None | Some(0) => causes.push(Cause::required(format!("{path}.containerPort"), "")),
            Some(number) if !(1..=65535).contains(&number) => {
                causes.push(Cause::bad(format!("{path}.containerPort"), &json!(number), PORT_RANGE));
            }
            Some(_) => {}
        }
        one_of(port, "protocol", &path, &["SCTP", "TCP", "UDP"], causes);
    }
}

fn environment(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (index, variable) in items(container, "env").enumerate() {
        let path = format!("{path}.env[{index}]");
        let name = text(variable, "name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else if name.contains('=') {
            let why =
                "a valid environment variable name must consist only of printable ASCII characters other than '='";
            causes.push(Cause::bad(format!("{path}.name"), &json!(name), why));
        }
        let Some(source) = variable["valueFrom"].as_object() else { continue };
        if !text(variable, "value").is_empty() {
            let why = "may not be specified when `value` is not empty";
            causes.push(Cause::bad(format!("{path}.valueFrom"), &json!(""), why));
        }
        if source.len() != 1 {
            let why = if source.is_empty() {
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            } else {
                "may not have more than one field specified at a time"
            };
            causes.push(Cause::bad(format!("{path}.valueFrom"), &json!(""), why));
        }
    }
}

fn mounts(container: &Value, path: &str, volumes: &BTreeSet<String>, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (index, mount) in items(container, "volumeMounts").enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else if !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{path}.name"), &json!(name)));
        }
        if target.is_empty() {
            causes.push(Cause::required(format!("{path}.mountPath"), ""));
        } else if !seen.insert(target.to_owned()) {
            causes.push(Cause::bad(format!("{path}.mountPath"), &json!(target), "must be unique"));
        }
        for field in ["subPath", "subPathExpr"] {
            let (sub_path, path) = (text(mount, field), format!("{path}.{field}"));
            let faults = names::descending_path(sub_path);
            causes.extend(faults.iter().map(|fault| Cause::bad(&path, &json!(sub_path), fault)));
        }
        if !text(mount, "subPath").is_empty() && !text(mount, "subPathExpr").is_empty() {
            let field = format!("{path}.subPathExpr");
            let why = "subPathExpr and subPath are mutually exclusive";
            causes.push(Cause::bad(field, &mount["subPathExpr"], why));
        }
    }
}

fn resources(resources: &Value, path: &str, causes: &mut Vec<Cause>) {
    let amount = |sort: &str, name: &str| resources[sort][name].as_str().and_then(quantity::parse);
    for sort in ["limits", "requests"] {
        for (name, value) in resources[sort].as_object().into_iter().flatten() {
            if amount(sort, name).is_some_and(|amount| amount.nanos() < 0) {
                let why = "must be greater than or equal to 0";
                causes.push(Cause::bad(format!("{path}.{sort}[{name}]"), value, why));
            }
        }
    }
    for (name, value) in resources["requests"].as_object().into_iter().flatten() {
        let (request, limit) = (amount("requests", name), amount("limits", name));
        if let (Some(request), Some(limit)) = (request, limit)
            && request.nanos() > limit.nanos()
        {
            let why = format!("must be less than or equal to {name} limit of {}", limit.canonical());
            causes.push(Cause::bad(format!("{path}.requests"), value, &why));
        }
    }
}

fn probe(probe: &Value, sort: &str, path: &str, causes: &mut Vec<Cause>) {
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], path, causes);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        not_negative(probe, field, path, causes);
    }
    if sort != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|threshold| threshold > 1) {
        causes.push(Cause::bad(format!("{path}.successThreshold"), &probe["successThreshold"], "must be 1"));
    }
}

fn handler(handler: &Value, sorts: &[&str], path: &str, causes: &mut Vec<Cause>) {
    let mut set = sorts.iter().filter(|sort| handler[**sort].is_object());
    if set.next().is_none() {
        causes.push(Cause::required(path, "must specify a handler type"));
    }
    for sort in set {
        causes.push(Cause::forbidden(format!("{path}.{sort}"), "may not specify more than 1 handler type"));
    }
    if handler["exec"].is_object() && items(&handler["exec"], "command").next().is_none() {
        causes.push(Cause::required(format!("{path}.exec.command"), ""));
    }
    for sort in ["httpGet", "tcpSocket", "grpc"] {
        let port = &handler[sort]["port"];
        if !handler[sort].is_object() {
            continue;
        }
        let field = format!("{path}.{sort}.port");
        match port {
            Value::Number(number) if !number.as_i64().is_some_and(|port| (1..=65535).contains(&port)) => {
                causes.push(Cause::bad(field, port, PORT_RANGE));
            }
            Value::String(name) => {
                causes.extend(names::port(name).iter().map(|fault| Cause::bad(&field, port, fault)));
            }
            _ if is_missing(port) => causes.push(Cause::bad(field, &json!(0), PORT_RANGE)),
            _ => {}
        }
    }
}
