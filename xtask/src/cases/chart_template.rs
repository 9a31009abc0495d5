//! `chart::template`: the chart renders with each topology's values, the result is not empty, and `set` has an effect.

use anyhow::{bail, ensure};

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::run::unread::path;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "template",
        summary: "the chart renders with each topology's values, the result is not empty, and it depends on every value \
                  in `set` that the chart's own values don't have",
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
    for variant in cx.run.subject.about() {
        if let Some(value) = cx.run.unread(variant).await?.first() {
            let (chart, path) = (&variant.suite.under_test().source, path(value));
            bail!(
                "`set = [{value:?}]` has no effect in topology {}: the values of {chart} have no `{path}`, and it renders the \
                 same without it; correct the path, or remove it",
                variant.topology.name
            );
        }
    }
    let objects = rendered.iter().flat_map(|releases| releases.iter()).map(Vec::len).sum::<usize>();
    Ok(format!("{objects} objects"))
}
