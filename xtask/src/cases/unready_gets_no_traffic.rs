//! `unready_gets_no_traffic`: a replica that is made unready gets no requests through the Service and is not
//! restarted; once it is ready again, it gets some again.

use anyhow::{Context as _, ensure};
use client::request::Request;
use client::value::ValueAt;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::asking::{self, Question};
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::settled;
use crate::deployed_topology::DeployedTopology;
use kubernetes::objects;
use suite::{CaseKind, Parameters, definitions, missing};

/// How many requests in a row must go elsewhere; with three replicas, the chance of that is one in two billion.
const REQUESTS: usize = 50;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "unready_gets_no_traffic",
        summary: "a replica that this request makes unready gets no requests through the Service and is not \
                  restarted; once it is ready again, it gets some again",
        needs: &[&ready::CASE.kind],
        asks_inside: true,
        fewest_replicas: 2,
        missing: missing::workload,
        parameters: Parameters::of::<With>(),
        check: |case, _, _| asking::goes_through_a_service(&case.with::<With>()?.request),
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Request that makes a replica unready.
    #[schemars(schema_with = "definitions::request")]
    unready: Request,
    /// Request that makes it ready again.
    #[schemars(schema_with = "definitions::request")]
    ready: Request,
    /// The Service with its port.
    #[schemars(schema_with = "definitions::address")]
    to: String,
    /// Request that is sent through the Service.
    #[schemars(schema_with = "definitions::request")]
    request: Request,
    /// Name of the pod in the response.
    #[schemars(schema_with = "definitions::value")]
    pod: ValueAt,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let question = Question { to: with.to.clone(), request: with.request.clone(), pod: with.pod.clone() };
    settled::ready(cx, &deployed, cx.replicas()?).await?;
    let victim = deployed.replicas().into_iter().next().context("there is no replica")?;
    let (victim, before) = (victim.name_any(), objects::restarts(&victim));
    let mut asker = asking::open(cx, &deployed).await?;
    switch(&deployed, &victim, &with.unready).await?;
    until_ready_is(cx, &deployed, &victim, false).await?;
    // The Service lags a little behind the pod's status.
    let mut elsewhere = 0;
    let ask = async || {
        let from = asking::responding_pod(&mut asker, &question).await?;
        elsewhere = if from == victim { 0 } else { elsewhere + 1 };
        if elsewhere >= REQUESTS { Ok(()) } else { Err(format!("{elsewhere} requests in a row went elsewhere")) }
    };
    let what = format!("{REQUESTS} requests in a row through {} that do not go to {victim}", with.to);
    cx.wait.ask_until(&deployed.watch, &what, ask).await?;
    let now = deployed.pod(&victim).as_ref().map(objects::restarts);
    ensure!(now == Some(before), "Pod/{victim} was restarted or replaced, although it was only unready");
    switch(&deployed, &victim, &with.ready).await?;
    until_ready_is(cx, &deployed, &victim, true).await?;
    let again = async || match asking::responding_pod(&mut asker, &question).await? {
        from if from == victim => Ok(()),
        from => Err(format!("{from} responded")),
    };
    cx.wait.ask_until(&deployed.watch, &format!("a request that goes to {victim} again"), again).await?;
    Ok(format!("{victim} got none of {REQUESTS} requests while it was unready"))
}

async fn switch(deployed: &DeployedTopology, pod: &str, request: &Request) -> anyhow::Result<()> {
    deployed.application.succeed(pod, request).await.map(drop).map_err(anyhow::Error::msg)
}

async fn until_ready_is(cx: &CaseContext, deployed: &DeployedTopology, name: &str, ready: bool) -> anyhow::Result<()> {
    let what = format!("Pod/{name} {}", if ready { "ready again" } else { "not ready" });
    cx.wait
        .until(&deployed.watch, &what, |state| match state.pods.get(name) {
            Some(pod) if objects::is_ready(pod) == ready => Ok(()),
            Some(pod) => Err(objects::pod_line(pod)),
            None => Err("it is gone".to_owned()),
        })
        .await
}
