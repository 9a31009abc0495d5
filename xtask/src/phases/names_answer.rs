//! `names_answer`: every one of these names resolves inside the cluster, also across namespaces, and something listens.

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::context::Cx;
use crate::workload::inside::Asker;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// `host:port`, with `${namespace:PART}` filled in.
    names: Vec<String>,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let namespaces = cx.variant()?.namespaces(&cx.run.id);
    let image = cx.run.client_image().context("the nodes take no image of the client in the cluster")?;
    let mut asker = Asker::open((&stage, &cx.wait), image).await?;
    let mut silent = Vec::new();
    for name in &with.names {
        let name = namespaces.fill(name).map_err(anyhow::Error::msg)?;
        silent.extend(asker.ask(&name, None).await?.err());
    }
    ensure!(silent.is_empty(), "{} of {} names do not answer: {}", silent.len(), with.names.len(), silent.join("; "));
    Ok(format!("{} names", with.names.len()))
}
