//! Docker's archives: `manifest.json`, since version 25 beside an OCI layout of the same images.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use oci::{SavedImage, is_digest};

use super::archive::Archive;
use super::candidate::{Candidate, LayerFile};
use super::{layout, reference};

/// Returns all images that `manifest.json` lists.
pub fn images(archive: &Archive) -> Result<Vec<Candidate>> {
    let (entries, _): (Vec<SavedImage>, _) = archive.json("manifest.json")?;
    ensure!(!entries.is_empty(), "manifest.json lists no image");
    let digests = if archive.contains("index.json") { layout::manifest_digests(archive)? } else { BTreeMap::new() };
    entries.into_iter().map(|entry| docker_image(archive, entry, &digests)).collect()
}

fn docker_image(archive: &Archive, entry: SavedImage, digests: &BTreeMap<String, Vec<String>>) -> Result<Candidate> {
    let (config, id) = archive.json(&entry.config)?;
    if let Some(named) = digest_in_name(&entry.config) {
        ensure!(named == id, "the configuration {} has the digest {id}: it was changed or damaged", entry.config);
    }
    let names = entry.repo_tags.unwrap_or_default();
    let names = names.iter().map(|name| Ok(reference::parse(name)?)).collect::<Result<_>>()?;
    let layers = entry.layers.into_iter().map(|file| LayerFile { digest: digest_in_name(&file), file }).collect();
    Ok(Candidate { names, manifests: digests.get(&id).cloned().unwrap_or_default(), id, config, layers })
}

/// Returns the digest that a file's name contains: `blobs/sha256/<hex>` or `<hex>.json`.
fn digest_in_name(name: &str) -> Option<String> {
    let last = name.rsplit('/').next()?;
    let hex = last.strip_suffix(".json").unwrap_or(last);
    let digest = format!("sha256:{hex}");
    is_digest(&digest).then_some(digest)
}
