//! The run's cluster and its images: made, filled, taken away.

use anyhow::Context;

use super::{Live, Run};
use crate::kubernetes::wait::Waiter;
use crate::{kubernetes, stage};

impl Run {
    /// Makes the cluster and waits until its API answers.
    ///
    /// # Errors
    /// Where it can't be made; what there is of it is gone then.
    pub async fn create_cluster(&self) -> anyhow::Result<()> {
        let options = embedded::cluster::Options {
            dir: self.folder.join("cluster"),
            exe: std::env::current_exe()?,
            faults: embedded::cluster::Faults::default(),
        };
        let cluster = embedded::cluster::Cluster::start(options).await?;
        let kubeconfig = cluster.kubeconfig().to_owned();
        *self.made.cluster.lock().await = Some(cluster);
        let context = "chartproof".to_owned();
        let client = kubernetes::client(&kubeconfig, &context).await?;
        drop(self.made.live.set(Live { client, kubeconfig, context }));
        Ok(())
    }

    /// Builds or pulls what the chart needs, and loads it into the node.
    ///
    /// # Errors
    /// Which image can't be had or loaded, and why.
    pub async fn load_images(&self, wait: &Waiter) -> anyhow::Result<String> {
        wait.waiting("loading");
        let archive = std::env::var("CHARTPROOF_ARCHIVE").context("CHARTPROOF_ARCHIVE")?;
        let cluster = self.made.cluster.lock().await;
        let cluster = cluster.as_ref().context("there is no cluster")?;
        let loaded = cluster.load_images(archive.as_ref()).await?;
        Ok(format!("{loaded:?}"))
    }

    /// Deletes the run's namespaces and what it made of the cluster.
    ///
    /// # Errors
    /// What could not be deleted.
    pub async fn delete_cluster(&self) -> anyhow::Result<String> {
        self.forget_stages();
        if let Ok(live) = self.live() {
            stage::delete_namespaces(&live.client, &self.id).await?;
        }
        if let Some(cluster) = self.made.cluster.lock().await.take() {
            cluster.stop().await?;
        }
        Ok(String::new())
    }
}
