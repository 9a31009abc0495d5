//! Which images an archive holds: by Docker's `manifest.json`, or by an OCI layout's `index.json`.

use anyhow::{Result, bail};

use super::archive::Archive;
use super::candidate::Candidate;
use super::{docker, layout};

/// All images of an archive.
pub fn candidates(archive: &Archive) -> Result<Vec<Candidate>> {
    if archive.contains("manifest.json") {
        return docker::images(archive);
    }
    if archive.contains("index.json") {
        return layout::images(archive);
    }
    bail!("it is no image archive: neither manifest.json (Docker) nor index.json (OCI) is in it")
}
