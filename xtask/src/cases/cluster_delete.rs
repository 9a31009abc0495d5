//! `cluster::delete`: everything that the run created is deleted.

use super::cluster_create;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "delete",
        summary: "everything that the run created is deleted",
        group: Some("cluster"),
        needs: &[&cluster_create::CASE.kind],
        cleans_up: true,
        tears_down: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    // This is the last case, so all other verdicts are known.
    cx.run.delete_cluster(cx.run.ending.has_failed()).await
}
