//! `answers`: a pod of the release returns the expected value.

use anyhow::Context as _;
use client::reach::{Port, Reach};
use client::request::Kind;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use kubernetes::ask::PodClient;
use kubernetes::objects;
use suite::{CaseKind, CaseSpec, Parameters, Request, Suite, Topology, ValueAt, Workload, definitions};

/// The time limit of one request at the case's own port, in milliseconds.
const REQUEST_TIMEOUT_MS: u64 = 10_000;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "answers",
        summary: "a pod of the release returns this value",
        needs: &[&ready::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        check,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Port of the pod; by default that of `[http]` or `[tcp]`.
    #[serde(default)]
    #[schemars(schema_with = "definitions::port")]
    port: Option<u16>,
    /// The request.
    #[schemars(schema_with = "definitions::request")]
    request: Request,
    /// The value in the response.
    #[schemars(schema_with = "definitions::value")]
    value: ValueAt,
    /// Expected value.
    #[schemars(schema_with = "definitions::words")]
    is: String,
}

/// Checks that port and container are known.
fn check(case: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    let With { port, request, .. } = case.with()?;
    match &request.kind {
        Kind::Exec(_) if port.is_some() => Err("`port` has no meaning for `exec`: remove it".to_owned()),
        Kind::Exec(command)
            if command.container.is_none() && suite.release(case.release.as_deref())? != suite.under_test() =>
        {
            Err("the container is unknown, since [workload] is about another release: add `container = \"NAME\"`"
                .to_owned())
        }
        _ => Ok(()),
    }
}

/// Returns how the pod is reached: as the suite says, or at the case's own port, without TLS.
fn reach(with: &With, workload: Option<&Workload>) -> Reach {
    let Some(number) = with.port else { return workload.map(Workload::reach).unwrap_or_default() };
    let port = Some(Port { number, timeout_ms: REQUEST_TIMEOUT_MS });
    Reach { http: port, tcp: port, ..Reach::default() }
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    let namespace = deployed_release.watch.namespace();
    let own = deployed_release.release == *deployed.suite.under_test();
    let container = deployed.tested.as_ref().filter(|_| own).map(|workload| workload.container.clone());
    let application =
        PodClient::new(deployed.client.clone(), namespace, reach(&with, deployed.tested.as_deref()), container);
    let ready = deployed_release.pods().into_iter().find(objects::is_ready);
    let pod = ready.with_context(|| format!("release {} has no ready pod", deployed_release.release.key()))?.name_any();
    let ask = async || {
        let answer = application.succeed(&pod, &with.request).await?;
        let found = with.value.text(&answer.document())?;
        let found = found.ok_or_else(|| format!("{} has nothing at {}", answer.beginning(), with.value))?;
        if found == with.is { Ok(found) } else { Err(format!("{found} instead of {}", with.is)) }
    };
    cx.wait.ask_until(&deployed_release.watch, &format!("Pod/{pod} returns {}", with.is), ask).await
}
