//! How the nodes of an existing cluster are reached without its API, and how images get onto them.

use images::Archive;
use process::Launcher;
use tools::{Docker, Tool};

use super::{Loaded, embedded, kind};

/// How the nodes of an existing cluster can be reached.
pub enum NodeAccess {
    /// Not at all: they have to pull their images.
    None,
    /// Through kind and the Docker that runs its nodes.
    Kind(Tool, Docker),
    /// Through the embedded cluster.
    Embedded(::embedded::cluster::Cluster),
}

impl NodeAccess {
    /// Loads archives into every node of the cluster of `context`, if possible.
    pub(super) async fn load(
        &self,
        launcher: &Launcher,
        context: &str,
        archives: &[Archive],
    ) -> anyhow::Result<Loaded> {
        match self {
            Self::None => Ok(Loaded::HaveToBePulled(format!(
                "images can't be loaded into the nodes of context {context}: they have to pull them"
            ))),
            Self::Embedded(cluster) => embedded::load(cluster, archives).await,
            Self::Kind(kind, docker) => {
                let name = context.trim_start_matches("kind-");
                kind::Loader { launcher, kind, docker, name }.load_now(archives).await
            }
        }
    }

    pub(super) fn docker(&self) -> Option<&Docker> {
        match self {
            Self::Kind(_, docker) => Some(docker),
            Self::None | Self::Embedded(_) => None,
        }
    }
}
