//! `stays_out`: a release that lacks something does not become ready, and says what it lacks.

use std::convert::Infallible;
use std::sync::OnceLock;

use anyhow::bail;
use schemars::JsonSchema;
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use super::support::signs;
use crate::deployed_release::DeployedRelease;
use kubernetes::objects;
use process::CommandError;
use suite::{CaseKind, Parameters, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "stays_out",
        summary: "a second release that lacks something does not become ready, and says what it lacks",
        needs: &[&install::CASE.kind],
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
    /// Values files of the second release, relative to the chart.
    #[serde(default)]
    #[schemars(schema_with = "definitions::values")]
    values: Vec<std::path::PathBuf>,
    /// Values that make it lack something.
    #[serde(default)]
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
    /// Text that helm's output, a pod's state, an event or a log must contain.
    #[schemars(schema_with = "definitions::words")]
    says: String,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    cx.wait.expect_failure();
    let changes = Changes { values: with.values, set: with.set };
    let extra = extra::beside(cx, cx.deployed_release(&deployed)?, "out", &changes).await?;
    let refused = OnceLock::new();
    // helm may wait for a hook that never ends, so its output is only one of the signs.
    let installing = async {
        if let Some(error) = extra::install(cx, &extra).await {
            let _ = refused.set(error);
        }
        std::future::pending::<Infallible>().await
    };
    let sign = tokio::select! {
        sign = says(cx, &deployed.client, &extra, &with.says, &refused) => sign?,
        never = installing => match never {},
    };
    extra::uninstall(cx, &extra).await?;
    Ok(sign)
}

/// Waits until a sign contains the words; returns that line.
async fn says(
    cx: &CaseContext,
    client: &kube::Client,
    extra: &DeployedRelease,
    words: &str,
    refused: &OnceLock<CommandError>,
) -> anyhow::Result<String> {
    let ask = async || {
        let pods = extra.pods();
        if let Some(pod) = pods.iter().find(|pod| objects::is_ready(pod)) {
            return Ok(Err(objects::pod_line(pod)));
        }
        signs::find(client, extra, refused.get(), words).await.map(Ok)
    };
    let what = format!("release {} says {words:?}", extra.release.name);
    match cx.wait.ask_until(&extra.watch, &what, ask).await? {
        Ok(line) => Ok(line),
        Err(pod) => bail!("release {} became ready, although it should say {words:?}: {pod}", extra.release.name),
    }
}
