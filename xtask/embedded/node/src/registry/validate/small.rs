//! Kinds with only a rule or two.

use serde_json::{Value, json};

use super::{Cause, names, one_of};
use crate::registry::value::{items, text};

/// Checks the keys of a config map or secret.
pub fn keys(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["data", "binaryData"] {
        for (key, _) in object[field].as_object().into_iter().flatten() {
            let path = format!("{field}[{key}]");
            causes.extend(names::data_key(key).iter().map(|fault| Cause::bad(&path, &json!(key), fault)));
        }
    }
    causes
}

/// Checks a config map or secret that replaces another.
pub fn data_changed(stored: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if stored["kind"] == "Secret" && stored["type"] != object["type"] {
        causes.push(Cause::bad("type", &object["type"], "field is immutable"));
    }
    if stored["immutable"] == true {
        if object["immutable"] != true {
            causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
        }
        for field in ["data", "binaryData"] {
            if stored[field] != object[field] {
                causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    causes
}

/// Checks a `PodDisruptionBudget`.
pub fn budget(budget: &Value) -> Vec<Cause> {
    let spec = &budget["spec"];
    let mut causes = Vec::new();
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        let value = json!({
            "MinAvailable": spec["minAvailable"], "Selector": spec["selector"],
            "MaxUnavailable": spec["maxUnavailable"], "UnhealthyPodEvictionPolicy": spec["unhealthyPodEvictionPolicy"],
        });
        causes.push(Cause::bad("spec", &value, "minAvailable and maxUnavailable cannot be both set"));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        let path = format!("spec.{field}");
        match &spec[field] {
            Value::Number(number) if number.as_i64().is_some_and(|number| number < 0) => {
                causes.push(Cause::bad(path, &spec[field], "must be greater than or equal to 0"));
            }
            Value::String(share) if !is_share(share) => {
                let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                    '93%', regex used for validation is '[0-9]+%')";
                causes.push(Cause::bad(path, &spec[field], why));
            }
            _ => {}
        }
    }
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    one_of(spec, "unhealthyPodEvictionPolicy", "spec", &policies, &mut causes);
    causes
}

fn is_share(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Checks an Ingress.
pub fn ingress(ingress: &Value) -> Vec<Cause> {
    let spec = &ingress["spec"];
    let mut causes = Vec::new();
    if spec["defaultBackend"].is_null() && items(spec, "rules").next().is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::bad("spec", &json!([]), why));
    }
    for (index, rule) in items(spec, "rules").enumerate() {
        for (at, path) in items(&rule["http"], "paths").enumerate() {
            let place = format!("spec.rules[{index}].http.paths[{at}]");
            if text(path, "pathType").is_empty() {
                causes.push(Cause::required(format!("{place}.pathType"), "pathType must be specified"));
            }
            one_of(path, "pathType", &place, &["Exact", "ImplementationSpecific", "Prefix"], &mut causes);
            let route = text(path, "path");
            if matches!(text(path, "pathType"), "Exact" | "Prefix") && !route.starts_with('/') {
                causes.push(Cause::bad(format!("{place}.path"), &json!(route), "must be an absolute path"));
            }
        }
    }
    causes
}

/// Checks that the name of an `APIService` says what it serves.
pub fn api_service(service: &Value) -> Vec<Cause> {
    let (spec, name) = (&service["spec"], &service["metadata"]["name"]);
    let wanted = format!("{}.{}", text(spec, "version"), text(spec, "group"));
    let mut causes = Vec::new();
    if *name != wanted.as_str() {
        let why = format!("must be `spec.version+\".\"+spec.group`: \"{wanted}\"");
        causes.push(Cause::bad("metadata.name", name, &why));
    }
    for field in ["groupPriorityMinimum", "versionPriority"] {
        let priority = spec[field].as_i64().unwrap_or(0);
        if !(1..=20_000).contains(&priority) {
            let why = "must be positive and less than 20000";
            causes.push(Cause::bad(format!("spec.{field}"), &priority.into(), why));
        }
    }
    causes
}

/// Checks that a binding keeps its role.
pub fn role_changed(stored: &Value, binding: &Value) -> Vec<Cause> {
    if stored["roleRef"] == binding["roleRef"] {
        return Vec::new();
    }
    vec![Cause::bad("roleRef", &binding["roleRef"], "cannot change roleRef")]
}
