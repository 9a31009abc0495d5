//! `environments_differ`: two releases of one chart are deployed differently, and the differences are saved.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use events::What;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "environments_differ",
        summary: "two releases of one chart are deployed differently; the differences are saved as a file",
        needs: &[&install::CASE.kind],
        parameters: Parameters::of::<With>(),
        check: are_releases,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Keys of two releases of one chart.
    #[schemars(schema_with = "between")]
    between: [String; 2],
}

fn between(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "$ref": "#/$defs/key" },
        "minItems": 2,
        "maxItems": 2,
        "uniqueItems": true,
    })
}

fn are_releases(case: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    case.with::<With>()?.between.iter().try_for_each(|key| suite.release(Some(key)).map(drop))
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let [one, other] = &with.between;
    let (left, right) = (deployed.deployed_release(Some(one))?, deployed.deployed_release(Some(other))?);
    for deployed_release in [left, right] {
        ensure!(
            !deployed_release.objects.is_empty(),
            "release {} has no objects to compare",
            deployed_release.release.key()
        );
    }
    let lines = difference(&Deployed::of(left), &Deployed::of(right));
    ensure!(
        !lines.is_empty(),
        "{one} and {other} are deployed identically: the values of an environment have no effect"
    );
    let path = format!("{}/differences/{}.txt", cx.variant()?.label(), cx.spec.name);
    let file = cx.run.folder.join(&path);
    let folder = file.parent().context("the file has no folder")?;
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(&file, lines.join("\n") + "\n").await.with_context(|| format!("writing {}", file.display()))?;
    cx.run.events.send(What::Evidence { case: cx.name.clone(), path: path.clone() });
    Ok(format!("{} differences between {one} and {other}: {path}", lines.len()))
}

/// The objects of a release, with the names that always differ.
struct Deployed<'a> {
    objects: &'a [Value],
    namespace: &'a str,
    release: &'a str,
}

impl<'a> Deployed<'a> {
    fn of(deployed_release: &'a DeployedRelease) -> Self {
        Self {
            objects: &deployed_release.objects,
            namespace: deployed_release.watch.namespace(),
            release: &deployed_release.release.name,
        }
    }

    /// Returns every value of every object, with its path.
    fn leaves(&self) -> BTreeSet<(String, String)> {
        let plain = |text: &str| text.replace(self.namespace, "NAMESPACE").replace(self.release, "RELEASE");
        let mut leaves = BTreeSet::new();
        for object in self.objects {
            let name = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
            let path = format!("{}/{}", name("/kind"), name("/metadata/name"));
            walk(object, &path, &mut |path, value| {
                leaves.insert((plain(path), plain(&value.to_string())));
            });
        }
        leaves
    }
}

/// Returns the differences, such as `- Deployment/server spec replicas 1` and `+ … 3`, sorted by path.
fn difference(one: &Deployed<'_>, other: &Deployed<'_>) -> Vec<String> {
    let (left, right) = (one.leaves(), other.leaves());
    let removed = left.difference(&right).map(|(path, value)| (path, format!("- {path} {value}")));
    let added = right.difference(&left).map(|(path, value)| (path, format!("+ {path} {value}")));
    let mut lines: Vec<_> = removed.chain(added).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

fn walk(value: &Value, path: &str, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, &format!("{path} {key}"), see)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{path} {index}"), see));
        }
        leaf => see(path, leaf),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the differences of two releases with these names and replicas.
    fn between(one: (&str, u32), other: (&str, u32)) -> Vec<String> {
        let objects = |(name, replicas): (&str, u32)| {
            let metadata = json!({ "name": format!("{name}-web"), "namespace": format!("ns-{name}") });
            vec![json!({ "kind": "Deployment", "metadata": metadata, "spec": { "replicas": replicas } })]
        };
        let (left, right) = (objects(one), objects(other));
        let namespaces = [one, other].map(|(name, _)| format!("ns-{name}"));
        difference(
            &Deployed { objects: &left, namespace: &namespaces[0], release: one.0 },
            &Deployed { objects: &right, namespace: &namespaces[1], release: other.0 },
        )
    }

    #[test]
    fn names_of_releases_and_namespaces_do_not_count_as_differences() {
        assert!(between(("staging", 1), ("prod", 1)).is_empty());
        let mut lines = between(("staging", 1), ("prod", 3));
        lines.sort();
        assert_eq!(lines, ["+ Deployment/RELEASE-web spec replicas 3", "- Deployment/RELEASE-web spec replicas 1"]);
    }
}
