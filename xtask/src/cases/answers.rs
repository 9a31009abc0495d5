//! `answers`: a pod of the release returns the expected value.

use std::time::Duration;

use anyhow::Context as _;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use kubernetes::http::Http;
use kubernetes::objects;
use suite::template::Fill;
use suite::{CaseKind, Parameters, definitions};
use suite::{Pointer, Request};

/// The time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "answers",
        summary: "a pod of the release returns this value",
        needs: &[&ready::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Port of the pod.
    #[schemars(schema_with = "definitions::port")]
    port: u16,
    /// The request.
    #[schemars(schema_with = "definitions::request")]
    request: Request,
    /// JSON pointer to the value in the response.
    #[schemars(schema_with = "definitions::pointer")]
    value: Pointer,
    /// Expected value.
    #[schemars(schema_with = "definitions::words")]
    is: String,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    let http = Http::new(deployed.client.clone(), deployed_release.watch.namespace(), with.port, REQUEST_TIMEOUT);
    let ready = deployed_release.pods().into_iter().find(objects::is_ready);
    let pod = ready.with_context(|| format!("release {} has no ready pod", deployed_release.release.key()))?.name_any();
    let ask = async || {
        let answer = http.ask(&pod, &with.request, Fill::default()).await.map_err(|failure| failure.to_string())?;
        let body = answer.require(with.request.status)?.json()?;
        let found = with.value.text(&body).ok_or_else(|| format!("{body} has nothing at {:?}", with.value.as_str()))?;
        if found == with.is { Ok(found) } else { Err(format!("{found} instead of {}", with.is)) }
    };
    cx.wait.ask_until(&deployed_release.watch, &format!("Pod/{pod} returns {}", with.is), ask).await
}
