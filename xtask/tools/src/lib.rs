//! The tools that the harness uses: found on PATH if their version is supported, otherwise downloaded in the pinned version
//! and checked against the committed digests; helm's command lines.
//!
//! It knows versions, digests and how helm and docker are called. It must not know suites or clusters.

mod cache;
mod docker;
mod fetch;
mod find;
pub mod helm;
pub mod pins;
mod unpack;
mod version;
pub mod yaml;

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

pub use cache::{root as cache_folder, sha256, sha256_of, sha256_of_file};
pub use docker::{Docker, NoDocker};
pub use find::{resolve, resolve_other_major, resolve_version};
pub use version::{Version, accepted};

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Installs the chart.
    Helm,
    /// For users, and for the baseline of the benchmark.
    Kubectl,
    /// Creates clusters in Docker.
    Kind,
    /// Runs kind's nodes, and pulls and saves images. Never fetched.
    Docker,
}

impl Name {
    /// Returns the name of the command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Kind => "kind",
            Self::Docker => "docker",
        }
    }

    /// Returns the arguments that make the tool print its version.
    fn version_args(self) -> &'static [&'static str] {
        match self {
            Self::Helm => &["version", "--short"],
            Self::Kubectl => &["version", "--client", "-o", "json"],
            Self::Kind => &["version"],
            Self::Docker => &["--version"],
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The origin of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On PATH.
    Path,
    /// Fetched by an earlier run.
    Cache,
    /// Fetched by this run, from this source.
    Fetched(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("found on PATH"),
            Self::Cache => f.write_str("pinned, from the cache"),
            Self::Fetched(from) => write!(f, "pinned, fetched from {from}"),
        }
    }
}

/// A usable tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: Name,
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Its origin.
    pub source: Source,
}

/// A tool that is not available: what was tried, and what to do.
#[derive(Debug)]
pub struct Missing {
    /// Its name.
    pub name: Name,
    /// Every source that was tried, with why it failed.
    pub tried: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, tried } = self;
        write!(f, "{name} is not available: {}; install {name} {} on PATH", tried.join("; "), accepted(*name).words)
    }
}

impl std::error::Error for Missing {}
