//! `spread`: requests through the Service are answered by every replica.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use client::records::{Pointer, Request};
use kube::ResourceExt;
use serde::Deserialize;

use super::context::Cx;
use crate::stage::Stage;
use crate::workload::inside::Asker;

/// Its parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// The Service, with its port: `gateway:80`.
    pub to: String,
    /// What is asked.
    pub request: Request,
    /// JSON pointer to the name of the pod that answered.
    pub pod: Pointer,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let wanted: BTreeSet<_> = stage.replicas().iter().map(ResourceExt::name_any).collect();
    ensure!(!wanted.is_empty(), "no replica is there to answer");
    let mut asker = open(cx, &stage).await?;
    let mut seen = BTreeSet::new();
    let ask = async || {
        seen.insert(answering(&mut asker, &with).await?);
        let missing: Vec<_> = wanted.difference(&seen).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("none yet from {}", missing.join(", "))) }
    };
    cx.wait.ask_until(&stage.watch, &format!("answers of every replica through {}", with.to), ask).await?;
    Ok(format!("{} replicas answered", wanted.len()))
}

/// A line to the client in the cluster.
///
/// # Errors
/// Where it does not come up.
pub async fn open(cx: &Cx, stage: &Stage) -> anyhow::Result<Asker> {
    let image = cx.run.client_image().context("the nodes take no image of the client in the cluster")?;
    Asker::open((stage, &cx.wait), image).await
}

/// The pod that answers now, over a new connection.
///
/// # Errors
/// Where none does, or its answer does not say which it is.
pub async fn answering(asker: &mut Asker, with: &With) -> Result<String, String> {
    let body = asker.ask(&with.to, Some(&with.request)).await.map_err(|error| format!("{error:#}"))??;
    let answer = serde_json::from_str(&body).map_err(|error| format!("{error} in the answer {body}"))?;
    with.pod.text(&answer).ok_or_else(|| format!("the answer {body} has no {}", with.pod.as_str()))
}
