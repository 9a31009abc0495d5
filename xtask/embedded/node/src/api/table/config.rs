//! Columns of the cluster's own kinds: configuration, accounts, namespaces, the node, events.

use serde_json::{Map, Value};

use super::{AGE, Column, NAME, age, column, items, number, or_none, text, wide};

fn count(object: &Value, field: &str) -> usize {
    object[field].as_object().map_or(0, Map::len)
}

/// Columns of a `ConfigMap`.
pub const CONFIG_MAP: &[Column] =
    &[NAME, column("Data", |object| (count(object, "data") + count(object, "binaryData")).into()), AGE];

/// Columns of a Secret.
pub const SECRET: &[Column] = &[
    NAME,
    column("Type", |secret| secret["type"].clone()),
    column("Data", |secret| count(secret, "data").into()),
    AGE,
];

/// Columns of a `ServiceAccount`.
pub const ACCOUNT: &[Column] = &[NAME, column("Secrets", |account| items(account, "/secrets").count().into()), AGE];

/// Columns of a Namespace.
pub const NAMESPACE: &[Column] = &[NAME, column("Status", |namespace| namespace["status"]["phase"].clone()), AGE];

/// Columns of a Lease.
pub const LEASE: &[Column] = &[NAME, column("Holder", |lease| text(lease, "/spec/holderIdentity").into()), AGE];

/// Columns of a `CustomResourceDefinition`.
pub const DEFINITION: &[Column] =
    &[NAME, column("Created At", |definition| definition["metadata"]["creationTimestamp"].clone())];

/// Columns of an `APIService`.
pub const API_SERVICE: &[Column] = &[
    NAME,
    column("Service", |service| {
        match (text(service, "/spec/service/namespace"), text(service, "/spec/service/name")) {
            (_, name) if name.is_empty() => "Local".into(),
            (namespace, name) => format!("{namespace}/{name}").into(),
        }
    }),
    column("Available", |service| {
        let available = items(service, "/status/conditions").find(|condition| condition["type"] == "Available");
        let (status, reason) = available.map(|one| (text(one, "/status"), text(one, "/reason"))).unwrap_or_default();
        if status == "True" || status.is_empty() { status.into() } else { format!("{status} ({reason})").into() }
    }),
    AGE,
];

/// Columns of a binding of a role.
pub const ROLE_BINDING: &[Column] = &[
    NAME,
    column("Role", |binding| format!("{}/{}", text(binding, "/roleRef/kind"), text(binding, "/roleRef/name")).into()),
    AGE,
];

/// Columns of a Node.
pub const NODE: &[Column] = &[
    NAME,
    column("Status", |node| node_status(node).into()),
    column("Roles", |node| {
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let roles = labels.filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"));
        or_none(&roles.collect::<Vec<_>>().join(","))
    }),
    AGE,
    column("Version", |node| text(node, "/status/nodeInfo/kubeletVersion").into()),
    wide("Internal-IP", |node| or_none(&address(node, "InternalIP"))),
    wide("External-IP", |node| or_none(&address(node, "ExternalIP"))),
    wide("OS-Image", |node| text(node, "/status/nodeInfo/osImage").into()),
    wide("Kernel-Version", |node| text(node, "/status/nodeInfo/kernelVersion").into()),
    wide("Container-Runtime", |node| text(node, "/status/nodeInfo/containerRuntimeVersion").into()),
];

fn node_status(node: &Value) -> String {
    let ready = items(node, "/status/conditions").find(|condition| condition["type"] == "Ready");
    let mut shown = match ready.map(|condition| text(condition, "/status")).as_deref() {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        shown += ",SchedulingDisabled";
    }
    shown
}

fn address(node: &Value, sort: &str) -> String {
    let found = items(node, "/status/addresses").find(|address| address["type"] == *sort);
    found.map_or(String::new(), |address| text(address, "/address"))
}

/// Columns of an Event.
pub const EVENT: &[Column] = &[
    column("Last Seen", |event| {
        let times = ["lastTimestamp", "eventTime", "firstTimestamp"].map(|field| &event[field]);
        times.into_iter().find(|time| time.is_string()).map_or("<unknown>".into(), |time| age::since(time).into())
    }),
    column("Type", |event| event["type"].clone()),
    column("Reason", |event| event["reason"].clone()),
    column("Object", |event| {
        let kind = text(event, "/involvedObject/kind").to_lowercase();
        format!("{kind}/{}", text(event, "/involvedObject/name")).into()
    }),
    wide("Subobject", |event| text(event, "/involvedObject/fieldPath").into()),
    wide("Source", |event| text(event, "/source/component").into()),
    column("Message", |event| text(event, "/message").trim().into()),
    wide("First Seen", |event| age::since(&event["firstTimestamp"]).into()),
    wide("Count", |event| number(event, "/count").into()),
    wide("Name", |event| event["metadata"]["name"].clone()),
];
