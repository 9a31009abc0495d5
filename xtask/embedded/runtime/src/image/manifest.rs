//! The images in an archive, from Docker's `manifest.json` or an OCI layout's `index.json`.

use anyhow::{Result, bail};

use super::archive::Archive;
use super::candidate::Candidate;
use super::{docker, layout};

/// Returns all images of an archive.
pub fn candidates(archive: &Archive) -> Result<Vec<Candidate>> {
    if archive.contains("manifest.json") {
        return docker::images(archive);
    }
    if archive.contains("index.json") {
        return layout::images(archive);
    }
    bail!("not an image archive: neither manifest.json (Docker) nor index.json (OCI) is in it")
}
