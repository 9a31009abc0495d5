//! Requests from inside the cluster through a Service, and the pods that respond.

use anyhow::Context as _;
use client::records::{Pointer, Request};
use schemars::JsonSchema;
use serde::Deserialize;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use crate::workload::inside::Asker;
use suite::definitions;

/// A request through a Service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The Service with its port, such as `gateway:80`.
    #[schemars(schema_with = "definitions::address")]
    pub to: String,
    /// The request.
    #[schemars(schema_with = "definitions::request")]
    pub request: Request,
    /// JSON pointer to the name of the pod in the response.
    #[schemars(schema_with = "definitions::pointer")]
    pub pod: Pointer,
}

/// Connects to the client in the cluster.
///
/// # Errors
/// If the client does not start.
pub async fn open(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<Asker> {
    let image = cx.run.client_image().context("the image of the in-cluster client can't be loaded into the nodes")?;
    Asker::open((deployed, &cx.wait), image).await
}

/// Sends the request over a new connection, and returns the name of the pod that responds.
///
/// # Errors
/// If there is no response, or it does not contain the pod's name.
pub async fn responding_pod(asker: &mut Asker, question: &Question) -> Result<String, String> {
    let body = asker.ask(&question.to, Some(&question.request)).await.map_err(|error| format!("{error:#}"))??;
    let answer = serde_json::from_str(&body).map_err(|error| format!("{error} in the response {body}"))?;
    question.pod.text(&answer).ok_or_else(|| format!("the response {body} has no {}", question.pod.as_str()))
}
