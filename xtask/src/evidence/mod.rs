//! Evidence of a failed case, collected before anything is cleaned up. An error here never hides the first one.
//! Logs, events, commands and histories are saved elsewhere, from the start of the run.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::discovery::{Discovery, Scope};
use serde::Serialize;
use serde_json::Value;

use crate::deployed_topology::DeployedTopology;
use events::{CaseName, Events, What};
use kubernetes::call;
use kubernetes::watch::Watch;
use redact::secrets;

mod describe;

/// The time limit for collecting evidence.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Saves all objects of the case's namespaces, and the nodes, in the run's folder, and sends an event with the path.
pub async fn collect(case: &CaseName, deployed: &DeployedTopology, events: &Events) {
    let name = case.rsplit("::").next().unwrap_or_default();
    let folder = deployed.folder.join("failed").join(name);
    let collected = tokio::time::timeout(TIMEOUT, dump(deployed, &folder)).await;
    let label = deployed.folder.file_name().unwrap_or_default().to_string_lossy();
    let path = format!("{label}/failed/{name}");
    events.send(What::Evidence { case: case.clone(), path });
    let trouble = match collected {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("timed out after {} s", TIMEOUT.as_secs()),
    };
    events.note(format!("the evidence of {case} is incomplete: {trouble}"));
}

/// Saves the manifests and values of a release; called before anything is installed.
///
/// # Errors
/// If it can't be written.
pub async fn keep_rendered(folder: &Path, flags: &[String], manifests: &str) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(folder.join("manifests.yaml"), events::bounds::bounded(&secrets::hidden(manifests))).await?;
    let mut values = format!("# {}\n", process::quote_line(redact::words(flags)));
    for file in flags.iter().skip_while(|flag| *flag != "--values").filter(|flag| !flag.starts_with("--")) {
        if let Ok(text) = tokio::fs::read_to_string(file).await {
            values.extend([&format!("--- # {file}\n"), &secrets::hidden(&text)].map(String::as_str));
        }
    }
    tokio::fs::write(folder.join("values.yaml"), events::bounds::bounded(&values)).await
}

async fn dump(deployed: &DeployedTopology, folder: &Path) -> anyhow::Result<()> {
    let watches = deployed.watches();
    let place = |watch: &Watch| if watches.len() == 1 { folder.to_owned() } else { folder.join(watch.namespace()) };
    for watch in &watches {
        tokio::fs::create_dir_all(place(watch)).await?;
        // From memory, so that it works even if the API no longer responds.
        let described = describe::namespace(&watch.state());
        write(&place(watch).join("describe.txt"), &redact::text(&described)).await?;
    }
    dump_nodes(deployed, folder).await?;
    for watch in &watches {
        dump_objects(deployed, watch.namespace(), &place(watch)).await?;
    }
    Ok(())
}

async fn dump_objects(deployed: &DeployedTopology, namespace: &str, folder: &Path) -> anyhow::Result<()> {
    let discovery = call("discovering the kinds of the API", Discovery::new(deployed.client.clone()).run()).await?;
    let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
    let kinds = kinds.filter(|(_, can)| can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST));
    // Events are in describe.txt, with their objects.
    for (kind, _) in kinds.filter(|(kind, _)| kind.kind != "Event") {
        let api: Api<DynamicObject> = Api::namespaced_with(deployed.client.clone(), namespace, &kind);
        // Skip kinds that can't be listed.
        let Ok(found) = call("listing", api.list(&ListParams::default())).await else { continue };
        for object in found.items {
            let file = folder.join(format!("{}.{}.json", kind.kind, object.name_any()));
            write(&file, &shown(&object, &kind.kind)?).await?;
        }
    }
    Ok(())
}

/// Removes secrets from files that a tool wrote, and limits their size.
///
/// # Errors
/// If one can't be read or written.
pub fn clean(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            clean(&path)?;
        } else if path.is_file() {
            let text = std::fs::read(&path)?;
            std::fs::write(&path, events::bounds::bounded(&redact::text(&String::from_utf8_lossy(&text))))?;
        }
    }
    Ok(())
}

async fn dump_nodes(deployed: &DeployedTopology, folder: &Path) -> anyhow::Result<()> {
    let nodes: Api<Node> = Api::all(deployed.client.clone());
    // On an existing cluster, listing nodes may be forbidden.
    let Ok(found) = call("listing nodes", nodes.list(&ListParams::default())).await else { return Ok(()) };
    for node in found.items {
        write(&folder.join(format!("Node.{}.json", node.name_any())), &shown(&node, "Node")?).await?;
    }
    Ok(())
}

async fn write(file: &Path, text: &str) -> std::io::Result<()> {
    tokio::fs::write(file, events::bounds::bounded(text)).await
}

/// Formats an object without secrets and without managed fields.
fn shown(object: &impl Serialize, kind: &str) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(object)?;
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        // This annotation repeats a Secret's data.
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    // Objects in lists have no kind.
    value["kind"] = Value::from(kind);
    secrets::hide(&mut value);
    Ok(format!("{value:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_secret_shows_no_value_in_any_field() {
        let secret = serde_json::json!({
            "metadata": { "name": "db", "managedFields": [{}], "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"dsn\":\"aHVudGVyMg==\"}}"
            } },
            "data": { "dsn": "aHVudGVyMg==" },
        });
        let shown = shown(&secret, "Secret").unwrap();
        assert!(!shown.contains("aHVudGVyMg"), "{shown}");
        assert!(shown.contains("\"dsn\": \"REDACTED\"") && !shown.contains("managedFields"), "{shown}");
    }

    #[tokio::test]
    async fn values_are_kept_with_their_flags_and_without_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("own.yaml").display().to_string();
        std::fs::write(&file, "replicas: 3\npassword: hunter2\n").unwrap();
        let flags = ["--values", &file, "--set", "auth.token=hunter2"].map(str::to_owned);
        keep_rendered(&dir.path().join("r3"), &flags, "kind: Secret\nstringData:\n  a: hunter2\n").await.unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join("r3").join(name)).unwrap();
        let (values, manifests) = (read("values.yaml"), read("manifests.yaml"));
        assert!(values.contains("replicas: 3") && values.contains("auth.token=REDACTED"), "{values}");
        assert!(!values.contains("hunter2") && !manifests.contains("hunter2"), "{values}{manifests}");
    }
}
