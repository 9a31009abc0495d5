//! Cluster providers: kind, the embedded cluster and existing clusters; their leases, and how images get onto their nodes.
//!
//! Only this crate knows how providers differ. It must not know suites, charts or cases.

mod choice;
mod container;
mod creation;
mod embedded;
mod existing;
mod health;
pub mod hints;
pub mod kind;
pub mod kubeconfig;
pub mod lease;
pub mod namespaces;
mod node;
mod node_access;
mod not_applicable;
pub mod outside;
mod prepare;
pub mod problems;
mod reuse;
pub mod sweep;
pub mod traffic;

use std::path::{Path, PathBuf};

pub use ::embedded::changes;
pub use choice::Choice;
pub use container::RunningContainer;
pub use embedded::{Embedded, node_program};
pub use existing::Existing;
pub use health::Health;
pub use kind::Kind;
pub use namespaces::RUN_LABEL;
pub use node_access::NodeAccess;
pub use not_applicable::NotApplicable;
pub use prepare::{Request, prepare, without_images};
pub use problems::Problems;

use tokio_util::sync::CancellationToken;

use images::{Archive, Reference};
use tools::Docker;

/// How helm, kubectl and API clients reach the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The run's own kubeconfig, readable by its owner only.
    pub kubeconfig: PathBuf,
    /// The context in the kubeconfig.
    pub context: String,
}

/// Whether the images of a chart were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// They are on every node.
    OnNodes(Vec<Reference>),
    /// The cluster accepts no archives, for this reason: its nodes have to be able to pull.
    HaveToBePulled(String),
}

impl Loaded {
    /// Returns that the images of these archives are on every node.
    fn on_nodes(archives: &[Archive]) -> Self {
        Self::OnNodes(archives.iter().flat_map(|archive| archive.references.clone()).collect())
    }
}

/// A cluster, from plan to deletion. Shared by all cases; no method needs exclusive access.
pub enum Cluster {
    /// A kind cluster in Docker.
    Kind(Kind),
    /// The embedded cluster.
    Embedded(Embedded),
    /// An existing cluster.
    Existing(Existing),
}

impl Cluster {
    /// Returns `kind`, `embedded` or `context:NAME`.
    pub fn name(&self) -> String {
        match self {
            Self::Kind(_) => "kind".to_owned(),
            Self::Embedded(_) => "embedded".to_owned(),
            Self::Existing(existing) => format!("context:{}", existing.name()),
        }
    }

    /// All values of [`Cluster::provider`].
    pub const PROVIDERS: [&str; 3] = ["kind", "embedded", "context"];

    /// Returns its provider: one of [`Cluster::PROVIDERS`].
    pub fn provider(&self) -> &'static str {
        let [kind, embedded, context] = Self::PROVIDERS;
        match self {
            Self::Kind(_) => kind,
            Self::Embedded(_) => embedded,
            Self::Existing(_) => context,
        }
    }

    /// Returns whether it existed before the run.
    pub fn is_existing(&self) -> bool {
        matches!(self, Self::Existing(_))
    }

    /// Returns whether others use it: neither this run nor an earlier one that kept it created it.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Existing(existing) if !existing.is_kept())
    }

    /// Returns one sentence on which cluster this is and why, for the first and last line of a run.
    pub fn describe(&self) -> String {
        match self {
            Self::Kind(kind) => kind.describe(),
            Self::Embedded(embedded) => embedded.describe(),
            Self::Existing(existing) => existing.describe(),
        }
    }

    /// Creates it, or, if it exists, checks that it responds.
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

    /// Loads images onto its nodes as soon as these accept them. May be called while the cluster is being created.
    ///
    /// # Errors
    /// If the cluster could not be created, or does not accept them.
    pub async fn load_images(&self, archives: &[Archive]) -> anyhow::Result<Loaded> {
        match self {
            Self::Kind(kind) => kind.load_images(archives).await,
            Self::Embedded(embedded) => embedded.load_images(archives).await,
            Self::Existing(existing) => existing.load_images(archives).await,
        }
    }

    /// Returns the Docker with which images for it can be pulled. The embedded node provides a few images itself, and gets
    /// others from Docker if that is available.
    pub fn docker(&self) -> Option<&Docker> {
        match self {
            Self::Kind(kind) => Some(kind.docker()),
            Self::Embedded(_) => None,
            Self::Existing(existing) => existing.docker(),
        }
    }

    /// Returns whether its nodes pull their images because none can be loaded.
    pub fn pulls(&self) -> bool {
        matches!(self, Self::Existing(existing) if existing.pulls())
    }

    /// Returns whether its nodes have to pull this image: Docker's archives contain no digest references, so containerd
    /// would not find it.
    pub fn pulls_by_digest(&self, reference: &Reference) -> bool {
        reference.digest.is_some() && self.docker_of_nodes().is_some()
    }

    /// Returns whether its nodes have an image that nothing has loaded.
    pub fn serves(&self, reference: &Reference) -> bool {
        let is_embedded = match self {
            Self::Kind(_) => false,
            Self::Embedded(_) => true,
            Self::Existing(existing) => existing.is_embedded(),
        };
        is_embedded && embedded::has(reference)
    }

    /// Returns what limits the significance of results on this cluster: inert kinds, limits that are not enforced.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn remarks(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Kind(_) => Ok(vec![]),
            Self::Embedded(embedded) => embedded.remarks().await,
            Self::Existing(existing) => existing.remarks().await,
        }
    }

    /// Exports the cluster's own logs to a folder, also after a failed creation.
    ///
    /// # Errors
    /// If the logs are not available.
    pub async fn export_logs(&self, into: &Path) -> anyhow::Result<()> {
        match self {
            Self::Kind(kind) => kind.export_logs(into).await,
            Self::Embedded(embedded) => embedded.export_logs(into),
            Self::Existing(_) => Ok(()),
        }
    }

    /// Deletes what the run created, also after an interrupt, and checks that it is gone.
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

    /// Keeps the cluster after the run, and returns how to use and delete it. An embedded cluster lives as long as its
    /// process: see [`Cluster::stay`].
    ///
    /// # Errors
    /// If that can't be recorded.
    pub async fn keep(&self) -> anyhow::Result<String> {
        match self {
            Self::Kind(kind) => kind.keep(),
            Self::Embedded(embedded) => embedded.keep(),
            Self::Existing(existing) => existing.keep().await,
        }
    }

    /// Keeps an embedded cluster alive until `end`, then deletes it. Returns at once for other clusters.
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
