//! Requests from inside the cluster through a Service, and which pod answers them.

use anyhow::Context as _;
use client::records::{Pointer, Request};
use schemars::JsonSchema;
use serde::Deserialize;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use crate::workload::inside::Asker;
use suite::definitions;

/// What is asked through a Service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The Service, with its port: `gateway:80`.
    #[schemars(schema_with = "definitions::address")]
    pub to: String,
    /// What is asked.
    #[schemars(schema_with = "definitions::request")]
    pub request: Request,
    /// JSON pointer to the name of the pod that answered.
    #[schemars(schema_with = "definitions::pointer")]
    pub pod: Pointer,
}

/// A line to the client in the cluster.
///
/// # Errors
/// Where it does not come up.
pub async fn open(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<Asker> {
    let image = cx.run.client_image().context("the nodes take no image of the client in the cluster")?;
    Asker::open((deployed, &cx.wait), image).await
}

/// The pod that answers now, over a new connection.
///
/// # Errors
/// Where none does, or its answer does not say which it is.
pub async fn answering(asker: &mut Asker, question: &Question) -> Result<String, String> {
    let body = asker.ask(&question.to, Some(&question.request)).await.map_err(|error| format!("{error:#}"))??;
    let answer = serde_json::from_str(&body).map_err(|error| format!("{error} in the answer {body}"))?;
    question.pod.text(&answer).ok_or_else(|| format!("the answer {body} has no {}", question.pod.as_str()))
}
