//! The documents of an image archive: OCI's index, manifest and configuration, and the table that `docker save` writes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The annotation that names an image in full; containerd writes and reads it.
pub const NAME_ANNOTATION: &str = "io.containerd.image.name";
/// The annotation for an image's tag, in which some tools write its full name.
pub const REF_NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";

/// An index: `index.json`, or a blob that lists one image for several platforms.
#[derive(Debug, Default, Deserialize)]
pub struct Index {
    /// What it lists.
    pub manifests: Vec<Descriptor>,
}

/// What refers to a blob.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Empty where nothing is said.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:…`, unchecked.
    pub digest: String,
    /// Names, among others.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Of an index's entries.
    #[serde(default)]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Returns whether it refers to an index, OCI's or Docker's.
    pub fn is_index(&self) -> bool {
        self.media_type.contains("index") || self.media_type.contains("manifest.list")
    }

    /// Returns whether it is an attestation and the like: those stand for no platform.
    pub fn is_no_image(&self) -> bool {
        self.platform.as_ref().is_some_and(|one| one.os == "unknown" || one.architecture == "unknown")
    }
}

/// What an index's entry runs on.
#[derive(Debug, Deserialize)]
pub struct Platform {
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`.
    #[serde(default)]
    pub architecture: String,
}

/// An image's manifest.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, bottom first.
    pub layers: Vec<Descriptor>,
}

/// An image's configuration.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// `v8`; empty for most.
    #[serde(default)]
    pub variant: String,
    /// What to run.
    #[serde(default, rename = "config")]
    pub process: Option<Process>,
    /// Its layers, unpacked.
    #[serde(default)]
    pub rootfs: RootFs,
}

/// What to run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    /// `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Program and arguments.
    pub entrypoint: Option<Vec<String>>,
    /// Further arguments, or the program where there is no entrypoint.
    pub cmd: Option<Vec<String>>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// By path.
    pub volumes: Option<Map<String, Value>>,
    /// `SIGQUIT`, `3`.
    pub stop_signal: Option<String>,
}

/// The unpacked layers' digests.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RootFs {
    /// Bottom first.
    #[serde(default)]
    pub diff_ids: Vec<String>,
}

impl Config {
    /// Returns `linux/arm64`, with the variant where there is one.
    pub fn platform(&self) -> String {
        let variant = if self.variant.is_empty() { String::new() } else { format!("/{}", self.variant) };
        format!("{}/{}{variant}", self.os, self.architecture)
    }

    /// Returns whether this machine runs it.
    pub fn runs_here(&self) -> bool {
        format!("{}/{}", self.os, self.architecture) == super::platform()
    }
}

/// One image of `manifest.json`, the table that `docker save` writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedImage {
    /// Its configuration's file.
    pub config: String,
    /// References; null for an image without.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// Its layers' files, bottom first.
    pub layers: Vec<String>,
}
