//! The run's cluster: made, and taken away.

use anyhow::Context;

use super::{Live, Run};
use crate::evidence;
use kubernetes::nodes::Nodes;

impl Run {
    /// Makes the cluster and waits until its API answers.
    ///
    /// # Errors
    /// Where it can't be made.
    pub async fn create_cluster(&self) -> anyhow::Result<()> {
        let access = self.cluster.create().await?;
        let client = kubernetes::client(&access.kubeconfig, &access.context).await?;
        let nodes = Nodes::start(&client);
        drop(self.made.live.set(Live { client, kubeconfig: access.kubeconfig, context: access.context, nodes }));
        Ok(())
    }

    /// Says what has to be known about results on this cluster, keeps its logs where something failed, and
    /// takes away what the run made.
    ///
    /// # Errors
    /// What is left behind.
    pub async fn delete_cluster(&self, failed: bool) -> anyhow::Result<String> {
        self.ending.cluster_ends.cancel();
        match self.cluster.remarks().await {
            Ok(remarks) => remarks.into_iter().for_each(|remark| self.events.note(remark)),
            Err(error) if self.ending.lost().is_none() => self.events.note(format!("{error:#}")),
            // What is said of the cluster's end is enough.
            Err(_) => {}
        }
        if failed && let Err(error) = self.keep_cluster_logs().await {
            self.events.note(format!("the cluster's logs: {error:#}"));
        }
        self.forget_deployed();
        self.cluster
            .delete()
            .await
            .context("what the run made is still there; `cargo xtask cluster sweep` deletes it")?;
        drop(tokio::fs::remove_file(self.folder.join("images.tar")).await);
        Ok(String::new())
    }

    async fn keep_cluster_logs(&self) -> anyhow::Result<()> {
        let folder = self.folder.join("cluster-logs");
        self.cluster.export_logs(&folder).await?;
        if folder.is_dir() {
            tokio::task::spawn_blocking(move || evidence::clean(&folder)).await??;
        }
        Ok(())
    }
}
