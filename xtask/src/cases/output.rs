//! `output`: a file that a Job wrote to its claim outlives the Job's pods; another pod reads it, and it is compared.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, LogParams};
use kube::{Api, ResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

use super::job_completes;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::DeployedTopology;
use kubernetes::{call, code, given, objects};
use suite::{CaseKind, Parameters, definitions};

/// The image of the reading pod, which needs `cat`.
const IMAGE: &str = "busybox:1.36.1";
/// The mount path of the claim.
const MOUNT: &str = "/output";

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "output",
        summary: "a file on the release's claim has this content after the Job's pods are gone; another pod reads it",
        needs: &[&job_completes::CASE.kind],
        takes_release: true,
        images: &[IMAGE],
        parameters: Parameters::of::<With>(),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// File, relative to the claim's root, without `..`.
    #[schemars(schema_with = "file")]
    file: String,
    /// Its exact content.
    #[schemars(schema_with = "definitions::content")]
    is: String,
}

fn file(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 1024,
        "pattern": r"^[^/\x00-\x1f.][^\x00-\x1f]*$|^\.[^./\x00-\x1f][^\x00-\x1f]*$",
    })
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    pods_gone(cx, &deployed, deployed_release).await?;
    let claim =
        claim(deployed_release).with_context(|| format!("release {} has no claim", deployed_release.release.key()))?;
    let content = read(cx, &deployed, deployed_release, &claim, &with.file).await?;
    ensure!(
        content == with.is,
        "{} on PersistentVolumeClaim/{claim} contains {content:?} instead of {:?}",
        with.file,
        with.is
    );
    Ok(format!("{} bytes of {} on PersistentVolumeClaim/{claim}", content.len(), with.file))
}

/// Deletes the Job's remaining pods, so that only the claim can have the file.
async fn pods_gone(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    deployed_release: &DeployedRelease,
) -> anyhow::Result<()> {
    let pods = pods(deployed, deployed_release);
    for pod in deployed_release.pods() {
        let name = pod.name_any();
        let deleted = call(&format!("deleting Pod/{name}"), pods.delete(&name, &DeleteParams::default())).await;
        // The Job's time to live may have deleted it first.
        deleted.map(drop).or_else(|error| if code(&error) == Some(404) { Ok(()) } else { Err(error) })?;
    }
    let gone = |_: &_| match deployed_release.pods().len() {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    };
    cx.wait.until(&deployed_release.watch, "the Job's pods gone", gone).await
}

/// Returns the API for pods in the release's namespace, which may not be that of the release under test.
fn pods(deployed: &DeployedTopology, deployed_release: &DeployedRelease) -> Api<Pod> {
    Api::namespaced(deployed.client.clone(), deployed_release.watch.namespace())
}

fn claim(deployed_release: &DeployedRelease) -> Option<String> {
    let claim = deployed_release.objects.iter().find(|object| object["kind"] == "PersistentVolumeClaim")?;
    claim["metadata"]["name"].as_str().map(str::to_owned)
}

/// Reads a file on a claim through a separate pod, which is deleted afterwards.
async fn read(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    deployed_release: &DeployedRelease,
    claim: &str,
    file: &str,
) -> anyhow::Result<String> {
    let name = format!("chartproof-reader-{}", cx.spec.name.replace('_', "-"));
    let pods = pods(deployed, deployed_release);
    let user = &deployed_release
        .objects
        .iter()
        .find_map(|object| object.pointer("/spec/template/spec/securityContext").cloned());
    let reader = reader(&name, claim, file, user.as_ref())?;
    given::create_pod((&cx.wait, &deployed_release.watch), &pods, &reader).await?;
    let what = format!("Pod/{name} has read {file}");
    let ended = cx.wait.until(&deployed_release.watch, &what, |state| {
        let pod = state.pods.get(&name).ok_or("it does not exist")?;
        match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
            Some("Succeeded" | "Failed") => Ok(objects::pod_line(pod)),
            _ => Err(objects::pod_line(pod)),
        }
    });
    let ended = ended.await?;
    let content = call(&format!("reading the log of Pod/{name}"), pods.logs(&name, &LogParams::default())).await?;
    call(&format!("deleting Pod/{name}"), pods.delete(&name, &DeleteParams::default())).await?;
    ensure!(ended == "Succeeded", "{file} on PersistentVolumeClaim/{claim} can't be read: {}", content.trim());
    Ok(content)
}

/// Returns a pod that prints a file on a claim, with the security context of the pods that wrote it.
fn reader(name: &str, claim: &str, file: &str, context: Option<&serde_json::Value>) -> serde_json::Result<Pod> {
    serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/managed-by": "chartproof" } },
        "spec": {
            "automountServiceAccountToken": false,
            "restartPolicy": "Never",
            "securityContext": context,
            "volumes": [{ "name": "output", "persistentVolumeClaim": { "claimName": claim, "readOnly": true } }],
            "containers": [{
                "name": "reader",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "command": ["cat", format!("{MOUNT}/{file}")],
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 1000,
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "volumeMounts": [{ "name": "output", "mountPath": MOUNT, "readOnly": true }],
            }],
        },
    }))
}
