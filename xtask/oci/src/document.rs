//! The documents in an image archive: OCI index, manifest and configuration, and the list that `docker save` writes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The annotation with an image's full name; containerd writes and reads it.
pub const NAME_ANNOTATION: &str = "io.containerd.image.name";
/// The annotation for an image's tag; some tools write the full name into it.
pub const REF_NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";

/// An index: `index.json`, or a blob that lists one image for several platforms.
#[derive(Debug, Default, Deserialize)]
pub struct Index {
    /// The entries.
    pub manifests: Vec<Descriptor>,
}

/// A reference to a blob.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type; empty if missing.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:…`, unchecked.
    pub digest: String,
    /// Annotations, such as the image's name.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The platform; set in the entries of an index.
    #[serde(default)]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Returns whether it refers to an index, in OCI's or Docker's format.
    pub fn is_index(&self) -> bool {
        self.media_type.contains("index") || self.media_type.contains("manifest.list")
    }

    /// Returns whether it is not an image but, for example, an attestation, which has no platform.
    pub fn is_no_image(&self) -> bool {
        self.platform.as_ref().is_some_and(|one| one.os == "unknown" || one.architecture == "unknown")
    }
}

/// The platform of an entry in an index.
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
    /// The process to run.
    #[serde(default, rename = "config")]
    pub process: Option<Process>,
    /// Its layers, unpacked.
    #[serde(default)]
    pub rootfs: RootFs,
}

/// The process to run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    /// `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Program and arguments.
    pub entrypoint: Option<Vec<String>>,
    /// Further arguments, or the program if there is no entrypoint.
    pub cmd: Option<Vec<String>>,
    /// The working directory.
    pub working_dir: Option<String>,
    /// Volumes by path.
    pub volumes: Option<Map<String, Value>>,
    /// `SIGQUIT`, `3`.
    pub stop_signal: Option<String>,
}

/// The digests of the unpacked layers.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RootFs {
    /// Digests, bottom first.
    #[serde(default)]
    pub diff_ids: Vec<String>,
}

impl Config {
    /// Returns the platform, with the variant if there is one: `linux/arm64/v8`.
    pub fn platform(&self) -> String {
        let variant = if self.variant.is_empty() { String::new() } else { format!("/{}", self.variant) };
        format!("{}/{}{variant}", self.os, self.architecture)
    }

    /// Returns whether this machine can run it.
    pub fn runs_here(&self) -> bool {
        format!("{}/{}", self.os, self.architecture) == super::platform()
    }
}

/// One image in `manifest.json`, the list that `docker save` writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedImage {
    /// The file with its configuration.
    pub config: String,
    /// Its references; null for an image without.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The files of its layers, bottom first.
    pub layers: Vec<String>,
}
