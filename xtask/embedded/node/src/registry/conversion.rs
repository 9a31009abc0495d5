//! Kinds that are served in two groups or versions: one of them is stored, the other is converted when it is read and
//! written. These are Events (`events.k8s.io/v1`, stored as `v1`) and `HorizontalPodAutoscaler`s (`autoscaling/v1`, stored
//! as `autoscaling/v2`).

use serde_json::{Value, json};

use super::value::{empty, fill, items, remove, text};
use crate::kinds::Kind;

/// The fields of an Event in `events.k8s.io/v1`, and their names in `v1`.
const EVENT: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// The annotations in which `autoscaling/v1` keeps what it has no fields for.
const KEPT: &[(&str, &str)] =
    &[("metrics", "autoscaling.alpha.kubernetes.io/metrics"), ("behavior", "autoscaling.alpha.kubernetes.io/behavior")];

/// Returns an object of a served kind as it is stored.
pub fn to_stored(kind: &'static Kind, mut object: Value) -> Value {
    let stored = kind.stored();
    if std::ptr::eq(stored, kind) {
        return object;
    }
    match kind.kind {
        "Event" => EVENT.iter().for_each(|(from, to)| rename(&mut object, from, to)),
        _ => autoscaler_to_v2(&mut object),
    }
    object["apiVersion"] = stored.api_version().into();
    object
}

/// Returns a stored object as a served kind shows it.
pub fn from_stored(kind: &'static Kind, mut object: Value) -> Value {
    if std::ptr::eq(kind.stored(), kind) {
        return object;
    }
    match kind.kind {
        "Event" => EVENT.iter().for_each(|(to, from)| rename(&mut object, from, to)),
        _ => autoscaler_to_v1(&mut object),
    }
    object["apiVersion"] = kind.api_version().into();
    object
}

/// Returns the name of a field of a served kind, as field selectors name it, in the stored kind.
pub fn stored_field(kind: &Kind, field: &str) -> String {
    if kind.group != "events.k8s.io" {
        return field.to_owned();
    }
    let (first, rest) = field.split_once('.').map_or((field, ""), |(first, rest)| (first, rest));
    let stored = EVENT.iter().find(|(served, _)| *served == first).map_or(first, |(_, stored)| stored);
    if rest.is_empty() { stored.to_owned() } else { format!("{stored}.{rest}") }
}

fn rename(object: &mut Value, from: &str, to: &str) {
    if let Some(value) = remove(object, from) {
        object[to] = value;
    }
}

fn is_cpu(metric: &Value) -> bool {
    let resource = &metric["resource"];
    text(resource, "name") == "cpu" && resource["target"]["type"] == "Utilization"
}

fn autoscaler_to_v2(object: &mut Value) {
    for (field, annotation) in KEPT {
        let kept = object["metadata"].get_mut("annotations").and_then(|annotations| remove(annotations, annotation));
        if let Some(kept) = kept.and_then(|kept| serde_json::from_str(kept.as_str()?).ok()) {
            fill(object, "spec", empty());
            object["spec"][field] = kept;
        }
    }
    if let Some(share) = object.get_mut("spec").and_then(|spec| remove(spec, "targetCPUUtilizationPercentage")) {
        let mut metrics: Vec<Value> = items(&object["spec"], "metrics").cloned().collect();
        let target = json!({"type": "Utilization", "averageUtilization": share});
        metrics.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
        object["spec"]["metrics"] = metrics.into();
    }
    if let Some(share) = object.get_mut("status").and_then(|status| remove(status, "currentCPUUtilizationPercentage")) {
        let current = json!({"name": "cpu", "current": {"averageUtilization": share}});
        object["status"]["currentMetrics"] = json!([{"type": "Resource", "resource": current}]);
    }
}

fn autoscaler_to_v1(object: &mut Value) {
    let metrics: Vec<Value> = items(&object["spec"], "metrics").cloned().collect();
    let cpu = metrics.iter().find(|metric| is_cpu(metric)).cloned();
    let others: Vec<&Value> = metrics.iter().filter(|metric| Some(*metric) != cpu.as_ref()).collect();
    let behavior = object.get_mut("spec").and_then(|spec| remove(spec, "behavior"));
    let others = (!others.is_empty()).then(|| json!(others));
    for ((_, annotation), kept) in KEPT.iter().zip([others, behavior]) {
        if let Some(kept) = kept {
            object["metadata"]["annotations"][annotation] = kept.to_string().into();
        }
    }
    if let Some(spec) = object.get_mut("spec") {
        remove(spec, "metrics");
        if let Some(cpu) = cpu {
            spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"].clone();
        }
    }
    if let Some(status) = object.get_mut("status") {
        remove(status, "conditions");
        let current = remove(status, "currentMetrics").unwrap_or_default();
        let share = &current[0]["resource"]["current"]["averageUtilization"];
        if share.is_number() {
            status["currentCPUUtilizationPercentage"] = share.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn nothing_is_lost_on_the_way_to_the_served_version_and_back() {
        let events = kinds::find("events.k8s.io", "v1", "events").unwrap();
        let event = json!({
            "kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}, "involvedObject": {"name": "p"},
            "message": "m", "count": 2, "reportingComponent": "kubelet", "source": {"component": "kubelet"},
        });
        let shown = from_stored(events, event.clone());
        assert_eq!((&shown["apiVersion"], &shown["regarding"]), (&json!("events.k8s.io/v1"), &json!({"name": "p"})));
        assert_eq!((&shown["note"], &shown["deprecatedCount"]), (&json!("m"), &json!(2)));
        assert_eq!(to_stored(events, shown), event);
        let autoscalers = kinds::find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
        let metric = |name: &str| {
            let target = json!({"type": "Utilization", "averageUtilization": 60});
            json!({"type": "Resource", "resource": {"name": name, "target": target}})
        };
        let spec = json!({"maxReplicas": 3, "metrics": [metric("memory"), metric("cpu")], "behavior": {"scaleUp": {}}});
        let stored = json!({
            "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2",
            "metadata": {"name": "a", "annotations": {}}, "spec": spec,
        });
        let shown = from_stored(autoscalers, stored.clone());
        assert_eq!(shown["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 60}));
        assert_eq!(to_stored(autoscalers, shown), stored);
    }
}
