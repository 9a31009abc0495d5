//! `environments_differ`: what a release has that the same one of another environment has not, for people to see.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::context::Cx;
use crate::events::What;
use crate::placed::Placed;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// Keys of two releases of one chart.
    between: [String; 2],
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let [one, other] = &with.between;
    let lines = difference(stage.placed(Some(one))?, stage.placed(Some(other))?);
    ensure!(!lines.is_empty(), "{one} and {other} are deployed alike: the values of an environment have no effect");
    let path = format!("{}/differences/{}.txt", cx.variant()?.label(), cx.spec.name);
    let file = cx.run.folder.join(&path);
    let folder = file.parent().context("the file has no folder")?;
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(&file, lines.join("\n") + "\n").await.with_context(|| format!("writing {}", file.display()))?;
    cx.run.events.send(What::Evidence { case: cx.name.clone(), path: path.clone() });
    Ok(format!("{} differences between {one} and {other}: {path}", lines.len()))
}

/// `- Deployment/server spec.replicas 1` and `+ … 3`, in order of their paths.
fn difference(one: &Placed, other: &Placed) -> Vec<String> {
    let (left, right) = (leaves(one), leaves(other));
    let removed = left.difference(&right).map(|(path, value)| (path, format!("- {path} {value}")));
    let added = right.difference(&left).map(|(path, value)| (path, format!("+ {path} {value}")));
    let mut lines: Vec<_> = removed.chain(added).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Every value of every object, with its path. Namespaces differ by nature.
fn leaves(placed: &Placed) -> BTreeSet<(String, String)> {
    let mut leaves = BTreeSet::new();
    for object in &placed.objects {
        let name = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
        let path = format!("{}/{}", name("/kind"), name("/metadata/name"));
        walk(object, &path, &mut |path, value| {
            leaves.insert((path.to_owned(), value.to_string().replace(placed.watch.namespace(), "NAMESPACE")));
        });
    }
    leaves
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
