//! Creates and deletes the run's cluster.

use anyhow::Context;

use super::{Live, Run};
use crate::evidence;
use console::program;
use kubernetes::nodes::Nodes;
use kubernetes::{call, contents};

/// Returns the flags of `helm template` for a cluster's version and kinds: charts choose API versions by them.
async fn capabilities(client: &kube::Client) -> anyhow::Result<Vec<String>> {
    let version = call("getting the cluster's version", client.apiserver_version()).await?;
    let served = contents::served(client).await?;
    Ok(vec!["--kube-version".to_owned(), version.git_version, "--api-versions".to_owned(), served.join(",")])
}

impl Run {
    /// Creates the cluster and waits until its API responds.
    ///
    /// # Errors
    /// If it can't be created.
    pub async fn create_cluster(&self) -> anyhow::Result<()> {
        let access = self.cluster.create().await?;
        let client = kubernetes::client(&access.kubeconfig, &access.context).await?;
        let nodes = Nodes::start(&client);
        let capabilities = capabilities(&client).await?;
        let live = Live { client, kubeconfig: access.kubeconfig, context: access.context, nodes, capabilities };
        drop(self.made.live.set(live));
        Ok(())
    }

    /// Prints remarks about results on this cluster, saves its logs if a case failed, and deletes what the run
    /// created.
    ///
    /// # Errors
    /// If something is left behind.
    pub async fn delete_cluster(&self, failed: bool) -> anyhow::Result<String> {
        self.ending.cluster_ends.cancel();
        match self.cluster.remarks().await {
            Ok(remarks) => remarks.into_iter().for_each(|remark| self.events.note(remark)),
            Err(error) if self.ending.lost().is_none() => self.events.note(format!("{error:#}")),
            // The end of the cluster has been reported already.
            Err(_) => {}
        }
        if failed && let Err(error) = self.keep_cluster_logs().await {
            self.events.note(format!("saving the cluster's logs: {error:#}"));
        }
        self.forget_deployed();
        self.cluster.delete().await.with_context(|| {
            format!("could not delete what the run created; run `{} cluster sweep`", program::command())
        })?;
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
