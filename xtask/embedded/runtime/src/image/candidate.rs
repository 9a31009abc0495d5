//! What an archive says of one image, before anything is unpacked.

use std::collections::BTreeSet;

use oci::{Config, Reference};

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
