//! What an archive says about one image before anything is unpacked.

use std::collections::BTreeSet;

use oci::{Config, Reference};

/// One image of an archive, not unpacked.
#[derive(Debug)]
pub struct Candidate {
    /// Full references.
    pub names: BTreeSet<Reference>,
    /// Digests of its manifest and of the indexes that refer to it.
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
    /// The digest that a manifest or the file's name states for the file, if any.
    pub digest: Option<String>,
}
