//! `chart::template`: the chart renders with each topology's values.

use super::context::Cx;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let rendered = futures::future::try_join_all(cx.run.about().map(|variant| cx.run.render(variant))).await?;
    let objects = rendered.iter().flat_map(|releases| releases.iter()).map(Vec::len).sum::<usize>();
    Ok(format!("{objects} objects"))
}
