//! `replicas_are`: each workload of a release runs as many replicas as it should, all ready, and nothing that is
//! deployed has a placeholder left in it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::context::Cx;
use super::rolled_out;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// Replicas of each workload, by its name.
    replicas: BTreeMap<String, i32>,
    /// What marks a placeholder.
    #[serde(default)]
    placeholder: Option<String>,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let placed = cx.placed(&stage)?;
    rolled_out::rolled_out(cx, placed).await?;
    let state = placed.watch.state();
    let found = placed.workloads().into_iter().map(|(kind, name)| {
        let rollout = state.rollout(kind, name).with_context(|| format!("{kind}/{name} is not there"))?;
        Ok((name.to_owned(), rollout.wanted))
    });
    let found: BTreeMap<_, _> = found.collect::<anyhow::Result<_>>()?;
    ensure!(!found.is_empty(), "release {} has no workload", placed.release.key());
    ensure!(
        found == with.replicas,
        "release {} has the replicas {found:?} instead of {:?}",
        placed.release.key(),
        with.replicas
    );
    if let Some(mark) = &with.placeholder
        && let Some(object) = placed.objects.iter().find(|object| object.to_string().contains(mark))
    {
        let text = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
        bail!("{}/{} has a placeholder left in it: {mark}", text("/kind"), text("/metadata/name"));
    }
    Ok(format!("{} workloads, {} replicas", found.len(), found.values().sum::<i32>()))
}
