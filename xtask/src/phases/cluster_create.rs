//! `cluster::create`: the cluster is there, and its API answers.

use super::context::Cx;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    cx.run.create_cluster().await?;
    let version = cx.run.live()?.client.apiserver_version().await?;
    Ok(format!("kubernetes {}", version.git_version))
}
