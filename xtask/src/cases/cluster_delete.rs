//! `cluster::delete`: what the run created is gone.

use super::cluster_create;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "delete",
        summary: "what the run created is gone",
        group: Some("cluster"),
        needs: &[&cluster_create::CASE.kind],
        cleans_up: true,
        tears_down: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    // The run is over but for this: whatever is red is red by now.
    cx.run.delete_cluster(cx.run.ending.has_failed()).await
}
