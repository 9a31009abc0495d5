//! `images::load`: every image that the charts need is built or pulled, and loaded into the nodes.

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::{chart_template, cluster_create};
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "load",
        summary: "every image that the charts need is built or pulled, and loaded into the nodes",
        group: Some("images"),
        needs: &[&chart_template::CASE.kind],
        beside: &[&cluster_create::CASE.kind],
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    cx.run.load_images(&cx.wait).await
}
