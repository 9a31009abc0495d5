//! `cluster::delete`: what the run created is gone.

use super::context::Cx;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    cx.run.delete_cluster().await
}
