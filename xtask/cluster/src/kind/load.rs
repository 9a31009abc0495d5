//! Loads images into kind's nodes: early, as soon as the nodes' container runtime responds, while the cluster is still
//! being created; and again afterwards if that failed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail};

use super::super::creation::{Creation, CreationState};
use super::super::{Loaded, hints};
use images::Archive;
use process::{Cmd, Launcher};
use tools::{Docker, Tool};

/// How often the nodes' runtimes are polled; there is no notification.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// The time limit of a request to a node.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for one archive.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Loads images into one cluster.
pub struct Loader<'a> {
    pub launcher: &'a Launcher,
    pub kind: &'a Tool,
    pub docker: &'a Docker,
    pub name: &'a str,
}

impl Loader<'_> {
    /// Loads all archives, early if possible. Once the cluster is complete, its nodes are checked; if one lacks an image,
    /// or appeared late, all archives are loaded again.
    pub async fn load(&self, creation: &Creation, archives: &[Archive]) -> anyhow::Result<Loaded> {
        let early = match self.early_nodes(creation).await? {
            Some(nodes) => self.load_into(&nodes, archives).await.map(Some),
            None => Ok(None),
        };
        creation.created().await?;
        let nodes = self.nodes().await?;
        let loaded = match early {
            Ok(Some(loaded)) => self.check(&nodes, archives).await.map(|()| Some(loaded)),
            other => other,
        };
        match loaded {
            Ok(Some(loaded)) => return Ok(loaded),
            Ok(None) => {}
            Err(error) => {
                let what = "loading images early failed, trying again now that the cluster exists";
                self.launcher.note(format!("{what}: {error:#}"));
            }
        }
        self.load_into(&nodes, archives).await
    }

    /// Loads all archives into a complete cluster.
    pub async fn load_now(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        self.load_into(&self.nodes().await?, archives).await
    }

    /// Returns the nodes once the container runtime of each responds; none if the cluster was complete first. The creation's
    /// time limit applies.
    async fn early_nodes(&self, creation: &Creation) -> anyhow::Result<Option<Vec<String>>> {
        loop {
            match creation.now() {
                CreationState::Created(_) => return Ok(None),
                CreationState::Failed(_) | CreationState::Ended => return creation.created().await.map(|_| None),
                CreationState::Absent => {}
                CreationState::Creating => {
                    let nodes = self.nodes().await.unwrap_or_default();
                    if !nodes.is_empty() && self.all_respond(&nodes).await {
                        return Ok(Some(nodes));
                    }
                }
            }
            tokio::select! {
                _ = creation.created() => {}
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    async fn nodes(&self) -> anyhow::Result<Vec<String>> {
        let cmd = self.launcher.cmd(&self.kind.path).args(["get", "nodes", "--name", self.name]);
        let listed = cmd.timeout(ASK_TIMEOUT).run().await?;
        // With several control planes, kind also lists their load balancer, which runs no pods.
        let is_node = |name: &&str| !name.is_empty() && !name.ends_with("-external-load-balancer");
        Ok(listed.lines().map(str::trim).filter(is_node).map(str::to_owned).collect())
    }

    async fn all_respond(&self, nodes: &[String]) -> bool {
        let responses = futures::future::join_all(nodes.iter().map(|node| self.images_on(node))).await;
        responses.iter().all(Result::is_ok)
    }

    /// Returns the images in the node's container runtime.
    async fn images_on(&self, node: &str) -> anyhow::Result<BTreeSet<String>> {
        let listed = self.docker_cmd(&["exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q"]).run().await?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    fn docker_cmd(&self, args: &[&str]) -> Cmd {
        self.launcher.cmd(&self.docker.tool.path).args(args).timeout(ASK_TIMEOUT)
    }

    /// Loads every archive, and checks on every node that its images have arrived.
    async fn load_into(&self, nodes: &[String], archives: &[Archive]) -> anyhow::Result<Loaded> {
        for archive in archives {
            let cmd = self.launcher.cmd(&self.kind.path).args(["load", "image-archive"]);
            let loaded = cmd.arg(&archive.path).args(["--name", self.name]).timeout(LOAD_TIMEOUT).run().await;
            if let Err(error) = loaded {
                let advice = hints::of(&error.tail);
                let what = format!("{} can't be loaded; {advice}", archive.path.display());
                return Err(error).context(what.trim_end_matches("; ").to_owned());
            }
        }
        self.check(nodes, archives).await?;
        Ok(Loaded::on_nodes(archives))
    }

    /// Checks that every node has the images of the archives.
    async fn check(&self, nodes: &[String], archives: &[Archive]) -> anyhow::Result<()> {
        for node in nodes {
            let found = self.images_on(node).await?;
            let mut references = archives.iter().flat_map(|archive| &archive.references);
            if let Some(image) = references.find(|image| !found.contains(&image.canonical())) {
                bail!("{image} was loaded without an error, but is missing on {node}");
            }
        }
        Ok(())
    }
}
