//! `output`: what a Job left on its claim is there though its pod is gone: read by another pod, and compared.

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

/// What reads: it has `cat`.
const IMAGE: &str = "busybox:1.36.1";
/// Where it sees the claim.
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

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// A file, relative to the claim's root, without `..`.
    #[schemars(schema_with = "file")]
    file: String,
    /// What it holds, to the last byte.
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
        "{} on PersistentVolumeClaim/{claim} holds {content:?} instead of {:?}",
        with.file,
        with.is
    );
    Ok(format!("{} bytes of {} on PersistentVolumeClaim/{claim}", content.len(), with.file))
}

/// Deletes what is left of the Job's pods: only the claim may have the output.
async fn pods_gone(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    deployed_release: &DeployedRelease,
) -> anyhow::Result<()> {
    let pods = pods(deployed, deployed_release);
    for pod in deployed_release.pods() {
        let name = pod.name_any();
        let deleted = call(&format!("deleting Pod/{name}"), pods.delete(&name, &DeleteParams::default())).await;
        // The Job's time to live may be quicker.
        deleted.map(drop).or_else(|error| if code(&error) == Some(404) { Ok(()) } else { Err(error) })?;
    }
    let gone = |_: &_| match deployed_release.pods().len() {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    };
    cx.wait.until(&deployed_release.watch, "the Job's pods gone", gone).await
}

/// The pods of the release's namespace, which may be another one than that of the release under test.
fn pods(deployed: &DeployedTopology, deployed_release: &DeployedRelease) -> Api<Pod> {
    Api::namespaced(deployed.client.clone(), deployed_release.watch.namespace())
}

fn claim(deployed_release: &DeployedRelease) -> Option<String> {
    let claim = deployed_release.objects.iter().find(|object| object["kind"] == "PersistentVolumeClaim")?;
    claim["metadata"]["name"].as_str().map(str::to_owned)
}

/// Reads a file of a claim with a pod of our own, which is deleted again.
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
        let pod = state.pods.get(&name).ok_or("it is not there")?;
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

/// A pod that prints a file of a claim; it runs in the security context of those that wrote it.
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
