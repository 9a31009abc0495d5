//! `health`: every replica reports itself healthy within the case's time limit.

use anyhow::{Context as _, ensure};

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "health",
        summary: "every replica reports itself healthy within the case's time limit",
        needs: &[&ready::CASE.kind],
        missing: missing::health,
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let request = deployed.tested.as_ref().and_then(|workload| workload.health_request());
    let request = request.context("the suite does not say what shows health")?;
    let names = deployed.names(deployed.wanted());
    ensure!(!names.is_empty(), "there is no replica");
    for name in &names {
        let what = format!("{name} reports itself healthy");
        let ask = async || deployed.application.succeed(name, &request).await.map(drop);
        cx.wait.ask_until(&deployed.watch, &what, ask).await?;
    }
    Ok(format!("{} replicas", names.len()))
}
