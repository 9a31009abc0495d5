//! `liveness_restarts`: a replica that is made unhealthy is restarted by its liveness probe and becomes ready again;
//! the others are left alone.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::settled;
use kubernetes::objects;
use suite::Request;
use suite::{CaseKind, Parameters, definitions, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "liveness_restarts",
        summary: "a replica that this request makes unhealthy is restarted and becomes ready again; the others are \
                  left alone",
        needs: &[&ready::CASE.kind],
        missing: missing::workload,
        parameters: Parameters::of::<With>(),
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Request that makes a replica unhealthy.
    #[schemars(schema_with = "definitions::request")]
    request: Request,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let replicas = cx.replicas()?;
    settled::ready(cx, &deployed, replicas).await?;
    let before = restarts(&deployed.replicas());
    let victim = before.keys().next().cloned().context("there is no replica")?;
    deployed.application.succeed(&victim, &with.request).await.map_err(anyhow::Error::msg)?;
    let what = format!("Pod/{victim} restarted by its liveness probe");
    cx.wait
        .until(&deployed.watch, &what, |state| match state.pods.get(&victim) {
            None => Err("it is gone".to_owned()),
            Some(pod) if objects::restarts(pod) > before[&victim] => Ok(()),
            Some(pod) => Err(objects::pod_line(pod)),
        })
        .await?;
    settled::ready(cx, &deployed, replicas).await?;
    let after = restarts(&deployed.replicas());
    for (name, count) in before.iter().filter(|(name, _)| **name != victim) {
        ensure!(
            after.get(name) == Some(count),
            "Pod/{name} was restarted or replaced too, although only {victim} was unhealthy"
        );
    }
    Ok(format!("{victim} restarted and ready again"))
}

fn restarts(pods: &[Pod]) -> BTreeMap<String, i32> {
    pods.iter().map(|pod| (pod.name_any(), objects::restarts(pod))).collect()
}
