//! Docker's archives: `manifest.json`, since version 25 beside an OCI layout of the same.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::archive::Archive;
use super::manifest::{Candidate, LayerFile};
use super::oci;
use super::reference::{Reference, is_digest};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// All images that `manifest.json` lists.
pub fn images(archive: &Archive) -> Result<Vec<Candidate>> {
    let (entries, _): (Vec<DockerEntry>, _) = archive.json("manifest.json")?;
    ensure!(!entries.is_empty(), "manifest.json lists no image");
    let digests = if archive.contains("index.json") { oci::manifest_digests(archive)? } else { BTreeMap::new() };
    entries.into_iter().map(|entry| docker_image(archive, entry, &digests)).collect()
}

fn docker_image(archive: &Archive, entry: DockerEntry, digests: &BTreeMap<String, Vec<String>>) -> Result<Candidate> {
    let (config, id) = archive.json(&entry.config)?;
    if let Some(named) = digest_in_name(&entry.config) {
        ensure!(named == id, "the configuration {} has the digest {id}: it was changed or damaged", entry.config);
    }
    let names = entry.repo_tags.unwrap_or_default();
    let names = names.iter().map(|name| Ok(Reference::parse(name)?)).collect::<Result<_>>()?;
    let layers = entry.layers.into_iter().map(|file| LayerFile { digest: digest_in_name(&file), file }).collect();
    Ok(Candidate { names, manifests: digests.get(&id).cloned().unwrap_or_default(), id, config, layers })
}

/// The digest that a file's name promises: `blobs/sha256/<hex>` or `<hex>.json`.
fn digest_in_name(name: &str) -> Option<String> {
    let last = name.rsplit('/').next()?;
    let hex = last.strip_suffix(".json").unwrap_or(last);
    let digest = format!("sha256:{hex}");
    is_digest(&digest).then_some(digest)
}
