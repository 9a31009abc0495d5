//! Providers of clusters: kind, the embedded cluster, and existing ones; their leases, and how images get onto their nodes.
//!
//! Only this crate knows that there are several providers. It must not know suites, charts or cases.

mod choice;
mod container;
mod creation;
mod embedded;
mod existing;
mod health;
pub mod hints;
pub mod kind;
mod kubeconfig;
pub mod lease;
pub mod namespaces;
mod node;
mod node_access;
mod prepare;
pub mod problems;
mod reuse;
pub mod sweep;

use std::path::{Path, PathBuf};

pub use choice::Choice;
pub use container::RunningContainer;
pub use embedded::{Embedded, node_program};
pub use existing::Existing;
pub use health::Health;
pub use kind::Kind;
pub use namespaces::RUN_LABEL;
pub use node_access::NodeAccess;
pub use prepare::{Request, prepare, without_images};
pub use problems::Problems;

use tokio_util::sync::CancellationToken;

use images::{Archive, Reference};
use tools::Docker;

/// How helm, kubectl and clients reach the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The run's own kubeconfig, readable by its owner only.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
}

/// What became of images that a chart needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// They are on every node.
    OnNodes(Vec<Reference>),
    /// The cluster takes no archives: its nodes have to be able to pull, for this reason.
    HaveToBePulled(String),
}

impl Loaded {
    /// What archives hold is on every node.
    fn on_nodes(archives: &[Archive]) -> Self {
        Self::OnNodes(archives.iter().flat_map(|archive| archive.references.clone()).collect())
    }
}

/// A cluster, from its plan to its end. Shared by all cases; no method needs it for itself alone.
pub enum Cluster {
    /// One of kind's, in Docker.
    Kind(Kind),
    /// Our own small Kubernetes.
    Embedded(Embedded),
    /// An existing one.
    Existing(Existing),
}

impl Cluster {
    /// `kind`, `embedded`, `context:NAME`.
    pub fn name(&self) -> String {
        match self {
            Self::Kind(_) => "kind".to_owned(),
            Self::Embedded(_) => "embedded".to_owned(),
            Self::Existing(existing) => format!("context:{}", existing.name()),
        }
    }

    /// Every [`Cluster::provider`].
    pub const PROVIDERS: [&str; 3] = ["kind", "embedded", "context"];

    /// What provides it: one of [`Cluster::PROVIDERS`].
    pub fn provider(&self) -> &'static str {
        let [kind, embedded, context] = Self::PROVIDERS;
        match self {
            Self::Kind(_) => kind,
            Self::Embedded(_) => embedded,
            Self::Existing(_) => context,
        }
    }

    /// Whether it was there before the run.
    pub fn is_existing(&self) -> bool {
        matches!(self, Self::Existing(_))
    }

    /// Which cluster it is and why, in one sentence for the run's first and last line.
    pub fn describe(&self) -> String {
        match self {
            Self::Kind(kind) => kind.describe(),
            Self::Embedded(embedded) => embedded.describe(),
            Self::Existing(existing) => existing.describe(),
        }
    }

    /// Creates it; one that is there already is only asked whether it answers.
    ///
    /// # Errors
    /// With the command that failed and what to do.
    pub async fn create(&self) -> anyhow::Result<Access> {
        match self {
            Self::Kind(kind) => kind.create().await,
            Self::Embedded(embedded) => embedded.create().await,
            Self::Existing(existing) => existing.create().await,
        }
    }

    /// Gets images onto its nodes, as soon as these take them: this may be called while it is being created.
    ///
    /// # Errors
    /// Where the cluster could not be created, or does not take them.
    pub async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        match self {
            Self::Kind(kind) => kind.load_images(archives).await,
            Self::Embedded(embedded) => embedded.load_images(archives).await,
            Self::Existing(existing) => existing.load_images(archives).await,
        }
    }

    /// The Docker that images can be pulled with for it. The embedded node serves a few images itself, and
    /// takes others from here where Docker answers.
    pub fn docker(&self) -> Option<&Docker> {
        match self {
            Self::Kind(kind) => Some(kind.docker()),
            Self::Embedded(_) => None,
            Self::Existing(existing) => existing.docker(),
        }
    }

    /// Whether its nodes pull what is not loaded, and nothing can be loaded.
    pub fn pulls(&self) -> bool {
        matches!(self, Self::Existing(existing) if existing.pulls())
    }

    /// Whether its nodes have to pull an image themselves: an archive of Docker's does not name what is asked for by
    /// digest, and containerd would not find it.
    pub fn pulls_by_digest(&self, reference: &Reference) -> bool {
        reference.digest.is_some() && self.docker_of_nodes().is_some()
    }

    /// Whether its nodes have an image without our doing.
    pub fn serves(&self, reference: &Reference) -> bool {
        let is_embedded = match self {
            Self::Kind(_) => false,
            Self::Embedded(_) => true,
            Self::Existing(existing) => existing.is_embedded(),
        };
        is_embedded && embedded::has(reference)
    }

    /// What a person has to know about a result on this cluster: inert kinds, limits that are not enforced.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn remarks(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Kind(_) => Ok(vec![]),
            Self::Embedded(embedded) => embedded.remarks().await,
            Self::Existing(existing) => existing.remarks().await,
        }
    }

    /// Puts the cluster's own logs below a folder; works after a failed creation, too.
    ///
    /// # Errors
    /// Where there are none to be had.
    pub async fn export_logs(&self, into: &Path) -> anyhow::Result<()> {
        match self {
            Self::Kind(kind) => kind.export_logs(into).await,
            Self::Embedded(embedded) => embedded.export_logs(into),
            Self::Existing(_) => Ok(()),
        }
    }

    /// Deletes what the run created of it, also after an interrupt, and sees to it that it is gone.
    ///
    /// # Errors
    /// With what is left behind.
    pub async fn delete(&self) -> anyhow::Result<()> {
        match self {
            Self::Kind(kind) => kind.delete().await,
            Self::Embedded(embedded) => embedded.delete().await,
            Self::Existing(existing) => existing.delete().await,
        }
    }

    /// Leaves it behind on purpose; answers how to use it and how to delete it. An embedded cluster lives as long as
    /// the process does: see [`Cluster::stay`].
    ///
    /// # Errors
    /// Where that can't be written down.
    pub async fn keep(&self) -> anyhow::Result<String> {
        match self {
            Self::Kind(kind) => kind.keep(),
            Self::Embedded(embedded) => embedded.keep(),
            Self::Existing(existing) => existing.keep().await,
        }
    }

    /// Keeps what dies with the process until `end`, and then takes it away; returns at once where nothing does.
    ///
    /// # Errors
    /// With what is left behind.
    pub async fn stay(&self, end: &CancellationToken) -> anyhow::Result<()> {
        if let Self::Embedded(embedded) = self {
            end.cancelled().await;
            embedded.delete().await?;
        }
        Ok(())
    }
}
