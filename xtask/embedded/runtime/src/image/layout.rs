//! OCI image layouts: `index.json` and blobs named by their digests.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use oci::{Descriptor, Index, Manifest, NAME_ANNOTATION, REF_NAME_ANNOTATION, Reference, is_digest};
use sha2::{Digest, Sha256};

use super::archive::Archive;
use super::candidate::{Candidate, LayerFile};
use super::reference;

/// Indexes that are nested deeper are rejected.
const INDEX_DEPTH_MAX: u32 = 4;

struct FoundManifest {
    manifest: Manifest,
    digests: Vec<String>,
}

/// Returns all images that `index.json` lists.
pub fn images(archive: &Archive) -> Result<Vec<Candidate>> {
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
    Ok(Some(reference::parse(name)?))
}

fn oci_image(archive: &Archive, found: FoundManifest, name: Option<Reference>) -> Result<Candidate> {
    let FoundManifest { manifest, digests } = found;
    let config = blob(archive, &manifest.config.digest)?;
    let config = serde_json::from_slice(&config).with_context(|| format!("read {}", manifest.config.digest))?;
    let layers = manifest
        .layers
        .into_iter()
        .map(|layer| Ok(LayerFile { file: blob_name(&layer.digest)?, digest: Some(layer.digest) }));
    let layers = layers.collect::<Result<_>>()?;
    Ok(Candidate { names: name.into_iter().collect(), manifests: digests, id: manifest.config.digest, config, layers })
}

/// Follows a descriptor to the image manifests behind it that are in the archive. An index may name more manifests than
/// were saved; attestations, whose platform is unknown, are not images.
fn collect(
    archive: &Archive,
    from: &Descriptor,
    above: &[String],
    depth: u32,
    found: &mut Vec<FoundManifest>,
) -> Result<()> {
    ensure!(depth <= INDEX_DEPTH_MAX, "indexes are nested deeper than {INDEX_DEPTH_MAX}");
    if from.is_no_image() || (depth > 0 && !archive.contains(&blob_name(&from.digest)?)) {
        return Ok(());
    }
    let content = blob(archive, &from.digest)?;
    let mut digests = above.to_vec();
    digests.push(from.digest.clone());
    if from.is_index() {
        let index: Index = serde_json::from_slice(&content).with_context(|| format!("read {}", from.digest))?;
        return index.manifests.iter().try_for_each(|one| collect(archive, one, &digests, depth + 1, found));
    }
    let manifest = serde_json::from_slice(&content).with_context(|| format!("read {}", from.digest))?;
    found.push(FoundManifest { manifest, digests });
    Ok(())
}

fn blob_name(digest: &str) -> Result<String> {
    ensure!(is_digest(digest), "{digest:?} is not a supported digest: expected sha256 and 64 hexadecimal digits");
    Ok(format!("blobs/{}", digest.replacen(':', "/", 1)))
}

/// Reads a small blob and checks its digest.
fn blob(archive: &Archive, digest: &str) -> Result<Vec<u8>> {
    let content = archive.bytes(&blob_name(digest)?)?;
    let found = format!("sha256:{}", crate::hex::hex(&Sha256::digest(&content)));
    ensure!(found == digest, "the blob {digest} has the digest {found}: it was changed or damaged");
    Ok(content)
}

/// Returns the manifests' digests by configuration, for an archive that has both tables.
pub fn manifest_digests(archive: &Archive) -> Result<BTreeMap<String, Vec<String>>> {
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
