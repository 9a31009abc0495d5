//! `meta.k8s.io/v1` tables: the columns that `kubectl get` shows.

mod age;
mod config;
mod custom;
mod network;
mod pod;
mod storage;
mod workload;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::registry::custom::CustomVersion;

/// A column: its name, whether it is only for `-o wide`, and the value that it shows of an object.
pub struct Column {
    name: &'static str,
    priority: u8,
    cell: fn(&Value) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, priority: 0, cell }
}

const fn wide(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, priority: 1, cell }
}

const NAME: Column = column("Name", |object| object["metadata"]["name"].clone());
const AGE: Column = column("Age", age::of);

/// The columns of kinds that have none of their own.
const PLAIN: &[Column] = &[NAME, AGE];

fn columns(kind: &Kind) -> &'static [Column] {
    match kind.built_in() {
        "Pod" => pod::COLUMNS,
        "StatefulSet" => workload::STATEFUL_SET,
        "Deployment" => workload::DEPLOYMENT,
        "ReplicaSet" => workload::REPLICA_SET,
        "DaemonSet" => workload::DAEMON_SET,
        "Job" => workload::JOB,
        "CronJob" => workload::CRON_JOB,
        "HorizontalPodAutoscaler" => workload::AUTOSCALER,
        "PodDisruptionBudget" => workload::BUDGET,
        "ControllerRevision" => workload::REVISION,
        "Service" => network::SERVICE,
        "Endpoints" => network::ENDPOINTS,
        "EndpointSlice" => network::ENDPOINT_SLICE,
        "Ingress" => network::INGRESS,
        "NetworkPolicy" => network::POLICY,
        "PersistentVolumeClaim" => storage::CLAIM,
        "PersistentVolume" => storage::VOLUME,
        "StorageClass" => storage::CLASS,
        "ConfigMap" => config::CONFIG_MAP,
        "Secret" => config::SECRET,
        "ServiceAccount" => config::ACCOUNT,
        "Namespace" => config::NAMESPACE,
        "Node" => config::NODE,
        "Event" => config::EVENT,
        "RoleBinding" | "ClusterRoleBinding" => config::ROLE_BINDING,
        "Lease" => config::LEASE,
        "CustomResourceDefinition" => config::DEFINITION,
        "APIService" => config::API_SERVICE,
        _ => PLAIN,
    }
}

/// What is included beside the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// The metadata.
    Metadata,
    /// The object.
    Object,
}

/// Returns a table of objects with the list's own metadata.
pub fn of<'a>(
    kind: &Kind,
    custom: Option<&CustomVersion>,
    objects: impl Iterator<Item = &'a Value>,
    list: &Value,
    include: Include,
) -> Value {
    let columns = columns(kind);
    let cells = |object: &Value| match custom {
        Some(version) => custom::cells(version, object),
        None => columns.iter().map(|column| (column.cell)(object)).collect(),
    };
    let definitions = custom.map_or_else(|| columns.iter().map(definition).collect(), custom::definitions);
    let rows: Vec<Value> = objects.map(|object| row(&cells(object), object, include)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({"name": column.name, "type": "string", "format": format, "description": "", "priority": column.priority})
}

fn row(cells: &[Value], object: &Value, include: Include) -> Value {
    let beside = match include {
        Include::None => return json!({ "cells": cells }),
        Include::Metadata => {
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
        }
        Include::Object => object.clone(),
    };
    json!({"cells": cells, "object": beside})
}

/// Returns the text, or kubectl's `<none>` if it is empty.
fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

/// Returns a field of an object as text, by its pointer.
fn text(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Returns the elements of a list, by its pointer.
fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Returns a number by its pointer, or 0 if it is missing.
fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// Formats labels as `a=b,c=d`.
fn labels(labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    let terms: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    terms.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn a_pod_is_shown_as_by_kubectl() {
        let status = |name: &str, ready: bool, state: &Value, restarts: u64| json!({"name": name, "ready": ready, "restartCount": restarts, "state": state});
        let pod = |phase: &str, statuses: &Value| {
            json!({
                "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
                "status": {"phase": phase, "containerStatuses": statuses},
            })
        };
        let running = json!({"running": {}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let failed = json!({"terminated": {"exitCode": 3}});
        let table = [
            (pod("Pending", &json!([])), ["p", "0/2", "Pending", "0"]),
            (
                pod("Running", &json!([status("a", true, &running, 0), status("b", true, &running, 2)])),
                ["p", "2/2", "Running", "2"],
            ),
            (
                pod("Running", &json!([status("a", true, &running, 0), status("b", false, &waiting, 4)])),
                ["p", "1/2", "CrashLoopBackOff", "4"],
            ),
            (pod("Failed", &json!([status("a", false, &failed, 0)])), ["p", "0/2", "ExitCode:3", "0"]),
        ];
        let kind = kinds::find("", "v1", "pods").unwrap();
        for (pod, wanted) in table {
            let shown = of(kind, None, [&pod].into_iter(), &json!({}), Include::None);
            let cells: Vec<_> = shown["rows"][0]["cells"].as_array().unwrap().iter().take(4).cloned().collect();
            assert_eq!(cells, wanted.map(Value::from), "{pod}");
        }
    }
}
