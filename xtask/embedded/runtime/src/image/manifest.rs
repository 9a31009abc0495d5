//! Which images an archive holds: by Docker's `manifest.json`, or by an OCI layout's `index.json`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::archive::Archive;
use super::reference::Reference;
use super::{docker, oci};

/// One image of an archive, not unpacked.
#[derive(Debug)]
pub struct Candidate {
    /// References in full.
    pub names: BTreeSet<Reference>,
    /// Digests of its manifest and of the indexes that lead to it.
    pub manifests: Vec<String>,
    /// Digest of its configuration.
    pub id: String,
    /// The configuration.
    pub config: Config,
    /// Its layers' files in the archive, bottom first.
    pub layers: Vec<LayerFile>,
}

/// A layer's file.
#[derive(Debug, Clone)]
pub struct LayerFile {
    /// Name in the archive.
    pub file: String,
    /// Digest of the file as it is there, where a manifest or its name tells.
    pub digest: Option<String>,
}

/// An image's configuration.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub variant: String,
    #[serde(default, rename = "config")]
    pub process: Option<Process>,
    pub rootfs: RootFs,
}

/// What to run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    pub user: Option<String>,
    pub env: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub volumes: Option<Map<String, Value>>,
    pub stop_signal: Option<String>,
}

/// The unpacked layers' digests.
#[derive(Debug, Clone, Deserialize)]
pub struct RootFs {
    #[serde(default)]
    pub diff_ids: Vec<String>,
}

impl Config {
    /// `linux/arm64`, with the variant where there is one.
    pub fn platform(&self) -> String {
        let variant = if self.variant.is_empty() { String::new() } else { format!("/{}", self.variant) };
        format!("{}/{}{variant}", self.os, self.architecture)
    }

    /// Whether this machine runs it.
    pub fn runs_here(&self) -> bool {
        format!("{}/{}", self.os, self.architecture) == super::platform_here()
    }
}

/// All images of an archive.
pub fn candidates(archive: &Archive) -> Result<Vec<Candidate>> {
    if archive.contains("manifest.json") {
        return docker::images(archive);
    }
    if archive.contains("index.json") {
        return oci::images(archive);
    }
    bail!("it is no image archive: neither manifest.json (Docker) nor index.json (OCI) is in it")
}
