//! `drift`: somebody else changes an object of the release, and the next `helm upgrade` works nevertheless, or is refused
//! as the suite expects.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ready;
use super::support::case::{Case, passing};
use super::support::conflicts;
use super::support::context::CaseContext;
use super::support::{rolled_out, settled};
use crate::deployed_release::DeployedRelease;
use kubernetes::{call, readiness::Made};
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "drift",
        summary: "after somebody else (`by`, by default `kubectl`) scales an object of the release or annotates it, \
                  `helm upgrade` works. With `says`, it is refused instead, and works once the change is undone",
        needs: &[&ready::CASE.kind],
        disturbs: true,
        changes_release: true,
        keeps_replicas: false,
        takes_release: true,
        parameters: Parameters::of::<With>(),
        check,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// The object, as `Kind/name`; by default the workload.
    #[serde(default)]
    #[schemars(schema_with = "titles")]
    object: Option<String>,
    /// The number of replicas that it is scaled to.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    replicas: Option<u32>,
    /// The annotations that it gets.
    #[serde(default)]
    #[schemars(schema_with = "annotations")]
    annotations: BTreeMap<String, String>,
    /// The field manager: `kubectl`, or `kube-controller-manager` for an autoscaler.
    #[serde(default = "kubectl")]
    #[schemars(schema_with = "definitions::object")]
    by: String,
    /// Text that helm must refuse the upgrade with.
    #[serde(default)]
    #[schemars(schema_with = "definitions::words")]
    says: Option<String>,
}

fn kubectl() -> String {
    "kubectl".to_owned()
}

fn titles(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 300, "pattern": "^[A-Z][A-Za-z0-9]*/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
    })
}

fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 20,
        "propertyNames": {
            "type": "string",
            "description": "the key of an annotation",
            "maxLength": 317,
            "pattern": "^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        },
        "additionalProperties": { "$ref": "#/$defs/words" },
    })
}

fn check(case: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    let with: With = case.with()?;
    if with.replicas.is_some() != with.annotations.is_empty() {
        return Err("it changes nothing, or two things: set either `replicas` or `annotations`".to_owned());
    }
    if with.object.is_none() && (suite.workloads.is_empty() || case.release.is_some()) {
        return Err("it needs to know what is changed: add `object = \"Kind/name\"`".to_owned());
    }
    Ok(())
}

/// The object that somebody else changes.
struct Changed {
    api: Api<DynamicObject>,
    name: String,
    title: String,
    by: PatchParams,
    /// What it is changed to.
    to: Value,
    /// What it was, as far as it is changed.
    was: Value,
    scales: bool,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let release = cx.deployed_release(&deployed)?;
    rolled_out::rolled_out(cx, release).await?;
    let changed = changed(cx, release, &with).await?;
    changed.patch(&changed.to).await?;
    let upgrade = || release.helm.upgrade(&release.chart, &release.values).timeout(cx.wait.left());
    let note = match (upgrade().run().await, &with.says) {
        (Ok(_), None) => changed.after().await?,
        (Ok(_), Some(says)) => bail!("helm upgrade succeeded after {changed}, although it should say {says:?}"),
        (Err(error), Some(says)) => {
            ensure!(error.tail.contains(says), "helm upgrade was refused, but without {says:?}: {error}");
            changed.patch(&changed.was).await?;
            upgrade().run().await.context("helm upgrade is still refused after the change was undone")?;
            format!("refused after {changed}: {says:?}")
        }
        (Err(error), None) => bail!("{}", conflicts::explained(&changed.title, &error.tail, &error.to_string())),
    };
    changed.patch(&changed.was).await?;
    rolled_out::rolled_out(cx, release).await?;
    if deployed.tested.is_some() {
        settled::ready(cx, &deployed, cx.replicas()?).await?;
    }
    Ok(note)
}

/// Finds the object among those that helm made, and what it is now.
async fn changed(cx: &CaseContext, release: &DeployedRelease, with: &With) -> anyhow::Result<Changed> {
    let deployed = cx.deployed()?;
    let title = match &with.object {
        Some(title) => title.clone(),
        None => deployed.workload().map(|(kind, name)| format!("{kind}/{name}"))?,
    };
    let objects = release.helm.made().await?;
    let made = objects.iter().filter_map(Made::of).find(|made| made.title() == title);
    let made = made.with_context(|| format!("release {} has no {title}", release.release.key()))?;
    let resource = resource(cx, &made).await?;
    let client = deployed.client.clone();
    let namespace = made.namespace.as_deref().unwrap_or(release.watch.namespace());
    let api = match resource {
        (resource, Scope::Namespaced) => Api::namespaced_with(client, namespace, &resource),
        (resource, Scope::Cluster) => Api::all_with(client, &resource),
    };
    let found: DynamicObject = call(&format!("getting {title}"), api.get(&made.name)).await?;
    let (to, was) = if let Some(replicas) = with.replicas {
        let was = &found.data["spec"]["replicas"];
        (json!({ "spec": { "replicas": replicas } }), json!({ "spec": { "replicas": was } }))
    } else {
        let set = found.metadata.annotations.unwrap_or_default();
        let was: BTreeMap<_, _> = with.annotations.keys().map(|key| (key, set.get(key))).collect();
        (json!({ "metadata": { "annotations": with.annotations } }), json!({ "metadata": { "annotations": was } }))
    };
    ensure!(to != was, "{title} is like that already: {to}; choose another change");
    let by = PatchParams { field_manager: Some(with.by.clone()), ..PatchParams::default() };
    Ok(Changed { api, name: made.name, title, by, to, was, scales: with.replicas.is_some() })
}

async fn resource(cx: &CaseContext, made: &Made) -> anyhow::Result<(ApiResource, Scope)> {
    let kind = GroupVersionKind::gvk(&made.group, &made.version, &made.kind);
    let pinned = pinned_kind(&cx.run.live()?.client, &kind);
    let (resource, capabilities) = call(&format!("discovering kind {}", made.kind), pinned).await?;
    Ok((resource, capabilities.scope))
}

impl Changed {
    /// Makes a change as the other field manager.
    async fn patch(&self, to: &Value) -> anyhow::Result<()> {
        let patch = Patch::Merge(to);
        if self.scales {
            let what = format!("scaling {}", self.title);
            call(&what, self.api.patch_scale(&self.name, &self.by, &patch)).await.map(drop)
        } else {
            let what = format!("annotating {}", self.title);
            call(&what, self.api.patch(&self.name, &self.by, &patch)).await.map(drop)
        }
    }

    /// Describes what the upgrade made of the change.
    async fn after(&self) -> anyhow::Result<String> {
        let now = serde_json::to_value(call(&format!("getting {}", self.title), self.api.get(&self.name)).await?)?;
        let is_kept = contains(&now, &self.to);
        Ok(format!("{self}, which helm upgrade {}", if is_kept { "keeps" } else { "sets back" }))
    }
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = self.by.field_manager.as_deref().unwrap_or_default();
        write!(f, "{} got {} by {by}", self.title, self.to)
    }
}

/// Whether an object has these values.
fn contains(object: &Value, values: &Value) -> bool {
    match values {
        Value::Object(map) => map.iter().all(|(key, value)| contains(&object[key], value)),
        other => object == other,
    }
}
