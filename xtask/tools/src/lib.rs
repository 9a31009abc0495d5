//! The tools that the harness drives: found on the machine if their version fits, else downloaded in the pinned version and
//! checked against the committed hashes; helm's command lines.
//!
//! It knows versions, hashes and how helm and docker are called. It must not know suites or clusters.

mod cache;
mod docker;
mod fetch;
mod find;
pub mod helm;
pub mod pins;
mod unpack;
mod version;

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

pub use cache::{sha256, sha256_of, sha256_of_file};
pub use docker::{Docker, NoDocker};
pub use find::{resolve, resolve_version};
pub use version::{Version, accepted};

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Installs the chart.
    Helm,
    /// For a person at a cluster, and for the plain sequence of the benchmark.
    Kubectl,
    /// Creates a cluster in Docker.
    Kind,
    /// Runs kind's nodes, pulls and saves images; never fetched.
    Docker,
}

impl Name {
    /// As the command is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Kind => "kind",
            Self::Docker => "docker",
        }
    }

    /// What makes the tool say its version.
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

/// Where a tool was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On the machine.
    Path,
    /// Fetched by an earlier run.
    Cache,
    /// Fetched now, from here.
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

/// A tool that can be used.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Which.
    pub name: Name,
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Where it was found.
    pub source: Source,
}

/// A tool that can't be had: what was tried, and what to do.
#[derive(Debug)]
pub struct Missing {
    /// Which.
    pub name: Name,
    /// What was tried, each with why it did not work.
    pub tried: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, tried } = self;
        write!(f, "{name} can't be had: {}; install {name} {} on PATH", tried.join("; "), accepted(*name).words)
    }
}

impl std::error::Error for Missing {}
