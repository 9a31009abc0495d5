//! `images::load`: every image that the chart needs is built or pulled, and loaded into the node.

use super::context::Cx;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    cx.run.load_images(&cx.wait).await
}
