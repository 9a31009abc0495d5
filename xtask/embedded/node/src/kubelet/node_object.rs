//! The `Node` object.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{
    Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus, NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::time;
use crate::client::Client;
use crate::controllers::NODE;
use crate::status::Status;

/// The version that the cluster reports, the same as the API server's.
const VERSION: &str = "v1.36.2";
/// Kubelet's default maximum of pods.
const PODS_MAX: &str = "110";

/// Returns the machine's capacity.
pub(super) fn capacity() -> BTreeMap<String, Quantity> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = meminfo("MemTotal").unwrap_or(1 << 20);
    let of = |text: String| Quantity(text);
    BTreeMap::from([
        ("cpu".to_owned(), of(cpus.to_string())),
        ("memory".to_owned(), of(format!("{memory}Ki"))),
        ("pods".to_owned(), of(PODS_MAX.to_owned())),
        ("ephemeral-storage".to_owned(), of("100Gi".to_owned())),
    ])
}

/// Returns a line of `/proc/meminfo`, in KiB.
fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Registers the node in the API: ready, with the machine's capacity.
///
/// # Errors
/// If the API rejects it.
pub fn register_node(client: &Client, address: Ipv4Addr) -> Result<(), Status> {
    let client = client.of(super::MANAGER);
    let labels = [
        ("beta.kubernetes.io/arch", oci::architecture()),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", oci::architecture()),
        ("kubernetes.io/hostname", NODE),
        ("kubernetes.io/os", "linux"),
        ("node-role.kubernetes.io/control-plane", ""),
    ];
    let node = Node {
        metadata: ObjectMeta {
            name: Some(NODE.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec { pod_cidr: Some("10.244.0.0/16".to_owned()), ..NodeSpec::default() }),
        status: Some(status(address)),
    };
    let status = node.status.clone();
    let node = client.create(&node)?;
    // The API drops a status that is sent with a creation.
    client.modify_status(&node, |node: &mut Node| {
        node.status.clone_from(&status);
        true
    })
}

fn status(address: Ipv4Addr) -> NodeStatus {
    let address_of = |type_: &str, address: String| NodeAddress { type_: type_.to_owned(), address };
    NodeStatus {
        addresses: Some(vec![address_of("InternalIP", address.to_string()), address_of("Hostname", NODE.to_owned())]),
        capacity: Some(capacity()),
        allocatable: Some(capacity()),
        conditions: Some(conditions()),
        daemon_endpoints: Some(NodeDaemonEndpoints::default()),
        node_info: Some(NodeSystemInfo {
            architecture: oci::architecture().to_owned(),
            container_runtime_version: "containerd://2.2.0".to_owned(),
            kernel_version: kernel(),
            kubelet_version: VERSION.to_owned(),
            operating_system: "linux".to_owned(),
            os_image: "Chartproof embedded node".to_owned(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn conditions() -> Vec<NodeCondition> {
    let pressure = |kind: &str, what: &str| {
        (format!("{kind}Pressure"), "False", format!("KubeletHasSufficient{kind}"), format!("kubelet has {what}"))
    };
    let rows = [
        pressure("Memory", "sufficient memory available"),
        ("DiskPressure".into(), "False", "KubeletHasNoDiskPressure".into(), "kubelet has no disk pressure".into()),
        pressure("PID", "sufficient PID available"),
        ("Ready".into(), "True", "KubeletReady".into(), "kubelet is posting ready status".into()),
    ];
    let now = time::of(chrono::Utc::now());
    let condition = |(type_, status, reason, message): (String, &str, String, String)| NodeCondition {
        type_,
        status: status.to_owned(),
        reason: Some(reason),
        message: Some(message),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
    };
    rows.map(condition).to_vec()
}
