//! `upgrade`: `helm upgrade` under load replaces every pod, and no acknowledged write is lost.

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::upgrading::upgraded;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "upgrade",
        summary: "every pod is replaced under load, and no acknowledged write is lost",
        needs: &[&ready::CASE.kind],
        changes_release: true,
        missing: missing::upgrade,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    upgraded(&disturbance).await?;
    disturbance.end().await
}
