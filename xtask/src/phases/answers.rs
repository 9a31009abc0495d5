//! `answers`: a pod of a release answers a request with what is expected.

use std::time::Duration;

use anyhow::Context as _;
use kube::ResourceExt;
use serde::Deserialize;

use super::context::Cx;
use crate::suite::template::Fill;
use crate::suite::{Pointer, Request};
use kubernetes::http::Http;
use kubernetes::objects;

/// After which one request is given up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// The pod's port.
    port: u16,
    /// The request.
    request: Request,
    /// JSON pointer to the value in the answer.
    value: Pointer,
    /// The value.
    is: String,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let placed = cx.placed(&stage)?;
    let http = Http::new(stage.client.clone(), placed.watch.namespace(), with.port, REQUEST_TIMEOUT);
    let ready = placed.pods().into_iter().find(objects::is_ready);
    let pod = ready.with_context(|| format!("release {} has no ready pod", placed.release.key()))?.name_any();
    let ask = async || {
        let answer = http.ask(&pod, &with.request, Fill::default()).await.map_err(|failure| failure.to_string())?;
        let body = answer.expect(with.request.status)?.json()?;
        let found = with.value.text(&body).ok_or_else(|| format!("{body} has nothing at {:?}", with.value.as_str()))?;
        if found == with.is { Ok(found) } else { Err(format!("{found} instead of {}", with.is)) }
    };
    cx.wait.ask_until(&placed.watch, &format!("Pod/{pod} answers {}", with.is), ask).await
}
