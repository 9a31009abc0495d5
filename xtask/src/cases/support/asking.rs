//! Requests from inside the cluster through a Service, and the pods that respond.

use anyhow::Context as _;
use client::request::Request;
use client::value::{Document, ValueAt};
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
    /// Name of the pod in the response.
    #[schemars(schema_with = "definitions::value")]
    pub pod: ValueAt,
}

/// Checks that a request can go through a Service.
///
/// # Errors
/// If it is a command that connects to the pod in which it runs.
pub fn goes_through_a_service(request: &Request) -> Result<(), String> {
    let fix = "`exec` goes through the Service only if it says so: write `${host}` for the Service's name";
    if request.goes_to_any_host() { Ok(()) } else { Err(fix.to_owned()) }
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
    let answer = asker.ask(&question.to, &question.request).await.map_err(|error| format!("{error:#}"))??;
    let pod = question.pod.text(&Document::Text(answer.clone()))?;
    pod.ok_or_else(|| format!("the response {answer} has no {}", question.pod))
}
