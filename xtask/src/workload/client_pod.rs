//! The client's pod: its own image, or that of the application if it runs commands.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{LocalObjectReference, Pod};
use serde_json::{Value, json};

use crate::deployed_topology::DeployedTopology;
use images::Reference;
use suite::Workload;

/// The pod's name, and the label of all of them.
pub const POD: &str = "chartproof-client";
/// The folder of the client's program and its libraries in a container of another image.
const PROGRAM: &str = "/chartproof";

/// The image of the container in which the client runs commands.
struct CommandImage {
    name: String,
    pull_secrets: Vec<LocalObjectReference>,
}

impl CommandImage {
    /// Returns the image that the suite names, or that of the replicas; none if no command goes through the Service.
    fn of(deployed: &DeployedTopology) -> anyhow::Result<Option<Self>> {
        let suite = &deployed.suite;
        let Some(workload) = deployed.tested.as_ref().filter(|_| suite.runs_commands_inside()) else { return Ok(None) };
        if let Some(name) = workload.exec.as_ref().and_then(|exec| exec.image.clone()) {
            return Ok(Some(Self { name, pull_secrets: Vec::new() }));
        }
        let spec = deployed.replicas().into_iter().find_map(|pod| pod.spec);
        let spec =
            spec.context("there is no replica yet whose image could run commands; name one as `image` in [exec]")?;
        let container = spec.containers.into_iter().find(|container| container.name == workload.container);
        let name = container.and_then(|container| container.image);
        let name = name.with_context(|| format!("the replicas have no container {}", workload.container))?;
        Ok(Some(Self { name, pull_secrets: spec.image_pull_secrets.unwrap_or_default() }))
    }
}

/// Returns the pod's name. Where commands run, each workload has a pod of its own, because they need its image.
pub fn name(deployed: &DeployedTopology) -> String {
    let suite = &deployed.suite;
    let first = suite.workloads.first().map(Workload::name);
    let about = deployed.tested.as_ref().map(|workload| workload.name());
    match about.filter(|about| first != Some(about) && suite.runs_commands_inside()) {
        Some(other) => format!("{POD}-{other}"),
        None => POD.to_owned(),
    }
}

/// Returns a pod that the restricted Pod Security Standard allows, and that no Service of the chart selects.
///
/// # Errors
/// If it has to run commands and there is no image for that.
pub fn pod(deployed: &DeployedTopology, image: &Reference) -> anyhow::Result<Pod> {
    let commands = CommandImage::of(deployed)?;
    let mut pod = alone(&name(deployed), image)?;
    if let Some(commands) = commands {
        add_commands(&mut pod, image, commands)?;
    }
    Ok(pod)
}

fn alone(name: &str, image: &Reference) -> serde_json::Result<Pod> {
    serde_json::from_value(json!({
        "metadata": { "name": name, "labels": {
            "app.kubernetes.io/name": POD,
            "app.kubernetes.io/managed-by": "chartproof",
        } },
        "spec": {
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [container("client", &image.to_string())],
        },
    }))
}

fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
    })
}

/// Copies the client into a container of the application's image: there it finds the programs that it runs.
fn add_commands(pod: &mut Pod, image: &Reference, commands: CommandImage) -> serde_json::Result<()> {
    let volumes = json!([{ "name": "program", "mountPath": PROGRAM }]);
    let mut install = container("install", &image.to_string());
    (install["args"], install["volumeMounts"]) = (json!(["install", PROGRAM]), volumes.clone());
    let mut client = container("client", &commands.name);
    // The image may have another C library, or none, so the client brings its own with the loader.
    let command = [&format!("{PROGRAM}/loader"), "--library-path", PROGRAM, &format!("{PROGRAM}/chartproof-client")];
    (client["command"], client["volumeMounts"]) = (json!(command), volumes);
    if let Some(spec) = &mut pod.spec {
        spec.init_containers = Some(vec![serde_json::from_value(install)?]);
        spec.containers = vec![serde_json::from_value(client)?];
        spec.volumes = serde_json::from_value(json!([{ "name": "program", "emptyDir": {} }]))?;
        spec.image_pull_secrets = Some(commands.pull_secrets);
    }
    Ok(())
}

/// Keeps the pod off a node. It may run on a control plane, in case there is no other worker.
///
/// # Errors
/// Never: the affinity is valid.
pub fn off(mut pod: Pod, node: &str) -> serde_json::Result<Pod> {
    let elsewhere = json!({ "key": "metadata.name", "operator": "NotIn", "values": [node] });
    let required = json!({ "nodeSelectorTerms": [{ "matchFields": [elsewhere] }] });
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } });
    let toleration =
        json!({ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" });
    if let Some(spec) = &mut pod.spec {
        spec.affinity = serde_json::from_value(affinity)?;
        spec.tolerations = Some(vec![serde_json::from_value(toleration)?]);
    }
    Ok(pod)
}
