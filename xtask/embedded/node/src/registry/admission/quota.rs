//! `ResourceQuota`: counts of objects, and for pods the sums of requests and limits.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::kinds::{self, Kind};
use crate::registry::value::items;
use crate::registry::{Registry, meta};
use crate::status::Status;
use crate::store;
use resources::quantity;

/// Returns 403 if a new object would exceed a quota of its namespace.
pub fn check(registry: &Registry, kind: &'static Kind, object: &Value) -> Result<(), Status> {
    let (namespace, name) = store::key(object);
    let Some(quotas) = kinds::find("", "v1", "resourcequotas").filter(|_| kind.namespaced) else { return Ok(()) };
    let (quotas, _) = registry.store.list(quotas, Some(&namespace));
    if quotas.is_empty() {
        return Ok(());
    }
    let (others, _) = registry.store.list(kind, Some(&namespace));
    for quota in quotas {
        if let Some(why) = exceeded(&quota, kind, object, &others) {
            return Err(Status::forbidden(kind, &name, &why));
        }
    }
    Ok(())
}

fn exceeded(quota: &Value, kind: &Kind, object: &Value, others: &[Arc<Value>]) -> Option<String> {
    let empty = Map::new();
    let hard = quota["spec"]["hard"].as_object().unwrap_or(&empty);
    let mut beyond: Vec<[String; 3]> = Vec::new();
    for (resource, limit) in hard {
        let Some(requested) = usage(resource, kind, object) else { continue };
        let used: i128 = others.iter().filter_map(|other| usage(resource, kind, other)).sum();
        let limit = limit.as_str().and_then(quantity::parse).map_or(0, quantity::Quantity::nanos);
        if requested > 0 && used + requested > limit {
            beyond.push([requested, used, limit].map(|nanos| format!("{resource}={}", quantity::shown(nanos))));
        }
    }
    if beyond.is_empty() {
        return None;
    }
    let column = |index: usize| beyond.iter().map(|row| row[index].clone()).collect::<Vec<_>>().join(",");
    let name = store::key(quota).1;
    Some(format!("exceeded quota: {name}, requested: {}, used: {}, limited: {}", column(0), column(1), column(2)))
}

/// Returns an object's usage of a resource, in billionths, or `None` if the quota does not apply to the object.
pub fn usage(resource: &str, kind: &Kind, object: &Value) -> Option<i128> {
    const ONE: i128 = 1_000_000_000;
    let counted = resource.strip_prefix("count/").unwrap_or(resource);
    if counted == kind.qualified_plural() || (resource == counted && counted == kind.plural) {
        let is_over = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        return Some(if kind.built_in() == "Pod" && (is_over || meta::is_deleting(object)) { 0 } else { ONE });
    }
    if kind.built_in() != "Pod" {
        return (kind.built_in() == "PersistentVolumeClaim" && resource == "requests.storage")
            .then(|| amount(&object["spec"]["resources"]["requests"]["storage"]));
    }
    let (sort, name) = match resource.split_once('.') {
        Some((sort @ ("requests" | "limits"), name)) => (sort, name),
        None if matches!(resource, "cpu" | "memory") => ("requests", resource),
        _ => return None,
    };
    Some(items(&object["spec"], "containers").map(|container| amount(&container["resources"][sort][name])).sum())
}

fn amount(quantity: &Value) -> i128 {
    quantity.as_str().and_then(quantity::parse).map_or(0, quantity::Quantity::nanos)
}
