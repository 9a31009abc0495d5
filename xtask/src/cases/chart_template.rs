//! `chart::template`: the chart renders with each topology's values, and the result is not empty.

use anyhow::ensure;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "template",
        summary: "the chart renders with each topology's values, and the result is not empty",
        group: Some("chart"),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let rendered = futures::future::try_join_all(cx.run.subject.about().map(|variant| cx.run.render(variant))).await?;
    for (variant, rendered) in cx.run.subject.about().zip(&rendered) {
        let release = variant.suite.under_test();
        // A chart may contain only the definitions in its crds/, which are not rendered.
        let renders = !rendered.last().is_none_or(Vec::is_empty) || !cx.run.definitions(release).await?.is_empty();
        ensure!(renders, "release {} of topology {} renders no objects", release.key(), variant.topology.name);
    }
    let objects = rendered.iter().flat_map(|releases| releases.iter()).map(Vec::len).sum::<usize>();
    Ok(format!("{objects} objects"))
}
