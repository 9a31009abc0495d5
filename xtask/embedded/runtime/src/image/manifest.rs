//! Which images an archive holds: by Docker's `manifest.json`, or by an OCI layout's `index.json`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::archive::Archive;
use super::reference::{Reference, is_digest};

/// Deeper nested indexes are refused.
const INDEX_DEPTH_MAX: u32 = 4;
const NAME_ANNOTATION: &str = "io.containerd.image.name";
const REF_NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";

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
        runs_here(&self.os, &self.architecture)
    }
}

fn runs_here(os: &str, architecture: &str) -> bool {
    let here = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    os == "linux" && architecture == here
}

/// All images of an archive.
pub fn candidates(archive: &Archive) -> Result<Vec<Candidate>> {
    if archive.contains("manifest.json") {
        return docker(archive);
    }
    if archive.contains("index.json") {
        return oci(archive);
    }
    bail!("it is no image archive: neither manifest.json (Docker) nor index.json (OCI) is in it")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

fn docker(archive: &Archive) -> Result<Vec<Candidate>> {
    let (entries, _): (Vec<DockerEntry>, _) = archive.json("manifest.json")?;
    ensure!(!entries.is_empty(), "manifest.json lists no image");
    let digests = if archive.contains("index.json") { manifest_digests(archive)? } else { BTreeMap::new() };
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

/// The manifests' digests by configuration, for an archive that has both tables.
fn manifest_digests(archive: &Archive) -> Result<BTreeMap<String, Vec<String>>> {
    let (index, _): (Index, _) = archive.json("index.json")?;
    let mut digests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for descriptor in &index.manifests {
        let mut found = Vec::new();
        collect(archive, descriptor, &[], 0, &mut found)?;
        for one in found {
            digests.entry(one.manifest.config.digest).or_default().extend(one.digests);
        }
    }
    Ok(digests)
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

struct Found {
    manifest: Manifest,
    digests: Vec<String>,
}

fn oci(archive: &Archive) -> Result<Vec<Candidate>> {
    let (index, _): (Index, _) = archive.json("index.json")?;
    let mut candidates = Vec::new();
    for descriptor in &index.manifests {
        let name = name_of(descriptor)?;
        let mut found = Vec::new();
        collect(archive, descriptor, &[], 0, &mut found)?;
        ensure!(!found.is_empty(), "no image manifest behind {} is in the archive", descriptor.digest);
        for one in found {
            candidates.push(oci_image(archive, one, name.clone())?);
        }
    }
    ensure!(!candidates.is_empty(), "index.json lists no image");
    Ok(candidates)
}

fn name_of(descriptor: &Descriptor) -> Result<Option<Reference>> {
    let full = descriptor.annotations.get(NAME_ANNOTATION);
    let Some(name) = full.or_else(|| descriptor.annotations.get(REF_NAME_ANNOTATION)) else { return Ok(None) };
    ensure!(
        full.is_some() || name.contains(['/', ':']),
        "index.json names {} only by the tag {name:?}: give it its full name in the annotation {NAME_ANNOTATION} \
         or {REF_NAME_ANNOTATION}",
        descriptor.digest
    );
    Ok(Some(Reference::parse(name)?))
}

fn oci_image(archive: &Archive, found: Found, name: Option<Reference>) -> Result<Candidate> {
    let Found { manifest, digests } = found;
    let config = blob(archive, &manifest.config.digest)?;
    let config = serde_json::from_slice(&config).with_context(|| format!("read {}", manifest.config.digest))?;
    let layers = manifest
        .layers
        .into_iter()
        .map(|layer| Ok(LayerFile { file: blob_name(&layer.digest)?, digest: Some(layer.digest) }));
    let layers = layers.collect::<Result<_>>()?;
    Ok(Candidate { names: name.into_iter().collect(), manifests: digests, id: manifest.config.digest, config, layers })
}

/// Follows a descriptor to the image manifests behind it that are in the archive. An index may name more of them than
/// were saved; attestations, whose platform is unknown, are no images.
fn collect(archive: &Archive, from: &Descriptor, above: &[String], depth: u32, found: &mut Vec<Found>) -> Result<()> {
    ensure!(depth <= INDEX_DEPTH_MAX, "indexes are nested deeper than {INDEX_DEPTH_MAX}");
    let unknown = from.platform.as_ref().is_some_and(|one| one.os == "unknown" || one.architecture == "unknown");
    if unknown || (depth > 0 && !archive.contains(&blob_name(&from.digest)?)) {
        return Ok(());
    }
    let content = blob(archive, &from.digest)?;
    let mut digests = above.to_vec();
    digests.push(from.digest.clone());
    if from.media_type.contains("index") || from.media_type.contains("manifest.list") {
        let index: Index = serde_json::from_slice(&content).with_context(|| format!("read {}", from.digest))?;
        return index.manifests.iter().try_for_each(|one| collect(archive, one, &digests, depth + 1, found));
    }
    let manifest = serde_json::from_slice(&content).with_context(|| format!("read {}", from.digest))?;
    found.push(Found { manifest, digests });
    Ok(())
}

fn blob_name(digest: &str) -> Result<String> {
    ensure!(is_digest(digest), "{digest:?} is no digest that is known here: sha256 and 64 hexadecimal digits");
    Ok(format!("blobs/{}", digest.replacen(':', "/", 1)))
}

/// A small blob, with its digest checked.
fn blob(archive: &Archive, digest: &str) -> Result<Vec<u8>> {
    use sha2::{Digest, Sha256};
    let content = archive.bytes(&blob_name(digest)?)?;
    let found = format!("sha256:{}", super::hex(&Sha256::digest(&content)));
    ensure!(found == digest, "the blob {digest} has the digest {found}: it was changed or damaged");
    Ok(content)
}
