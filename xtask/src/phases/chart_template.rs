//! `chart::template`: the chart renders with each topology's values.

use super::context::Cx;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let mut objects = 0;
    for topology in &cx.run.topologies() {
        objects += cx.run.render(topology).await?.len();
    }
    Ok(format!("{objects} objects"))
}
