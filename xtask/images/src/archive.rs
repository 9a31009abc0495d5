//! Checks an image archive before anything is created for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use oci::{Config, Descriptor, Index, SavedImage};
use serde::Deserialize;

use super::{Archive, Reference};
use console::exit;
use tools::sha256;

/// Larger JSON files than this are not ours to read.
const JSON_MAX_BYTES: u64 = 4_000_000;

/// Reads an archive's table of contents: whether it can be loaded here, and what it holds.
///
/// # Errors
/// Usage errors that say what is wrong with the file and what makes a good one.
pub fn check(path: &Path) -> anyhow::Result<Archive> {
    inspect(path).map_err(|error| exit::usage(format!("{}: {error:#}", path.display())))
}

fn inspect(path: &Path) -> anyhow::Result<Archive> {
    let names = names(path)?;
    if !names.contains("manifest.json") {
        anyhow::bail!(no_manifest(&names));
    }
    let images: Vec<SavedImage> = json(path, "manifest.json")?;
    anyhow::ensure!(!images.is_empty(), "its manifest.json names no image; {MAKE_ONE}");
    let mut references = Vec::new();
    for image in images {
        if let Some(lost) = image.layers.iter().chain([&image.config]).find(|name| !names.contains(name.as_str())) {
            anyhow::bail!("{lost} is named in its manifest.json but not there: the file was cut short; {MAKE_ONE}");
        }
        check_platform(&json(path, &image.config)?)?;
        for tag in image.repo_tags.unwrap_or_default() {
            references.push(tag.parse::<Reference>().map_err(|error| anyhow::anyhow!("its tag {tag:?}: {error}"))?);
        }
    }
    anyhow::ensure!(!references.is_empty(), "its images have no tag, so no chart can name them; {MAKE_ONE}");
    Ok(Archive { path: path.to_owned(), references })
}

/// What a node calls each image of an archive once it is loaded: the digest of its configuration and, where the archive
/// has an index, that of its manifest.
///
/// # Errors
/// Where the archive can't be read.
pub fn ids(path: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let images: Vec<SavedImage> = json(path, "manifest.json")?;
    let index: Index = if names(path)?.contains("index.json") { json(path, "index.json")? } else { Index::default() };
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for image in images {
        let config = format!("sha256:{}", sha256(&bytes(path, &image.config)?));
        for reference in image.repo_tags.unwrap_or_default().iter().filter_map(|tag| tag.parse::<Reference>().ok()) {
            let of_reference = ids.entry(reference.canonical()).or_default();
            of_reference.insert(config.clone());
            of_reference.extend(digests_of(&index, &reference));
        }
    }
    Ok(ids)
}

/// The manifests that are called so in full: with a tag alone, nobody knows of which repository.
fn digests_of(index: &Index, reference: &Reference) -> impl Iterator<Item = String> {
    let is_it = |one: &&Descriptor| {
        let name = one.annotations.get(oci::NAME_ANNOTATION).and_then(|name| name.parse::<Reference>().ok());
        name.is_some_and(|name| name == *reference)
    };
    index.manifests.iter().filter(is_it).map(|one| one.digest.clone())
}

const MAKE_ONE: &str = "make one with `docker save -o FILE.tar NAME:TAG`";

fn no_manifest(names: &BTreeSet<String>) -> String {
    if names.contains("oci-layout") {
        return format!("is an OCI layout without the manifest.json that Docker's tools need; {MAKE_ONE}");
    }
    format!("is a tar archive of {} files but none of images; {MAKE_ONE}", names.len())
}

/// The names of all files in the archive.
fn names(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut archive = open(path)?;
    for entry in archive.entries_with_seek().context("can't be read")? {
        let entry = entry.context("is no tar archive, or was cut short").context(MAKE_ONE)?;
        names.insert(entry.path()?.to_string_lossy().trim_start_matches("./").to_owned());
    }
    anyhow::ensure!(!names.is_empty(), "is empty; {MAKE_ONE}");
    Ok(names)
}

fn open(path: &Path) -> anyhow::Result<tar::Archive<File>> {
    let mut file = File::open(path).context("can't be read")?;
    anyhow::ensure!(file.metadata()?.is_file(), "is no file");
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).context("can't be read")?;
    let compressed = start.starts_with(&[0x1f, 0x8b]) || start == [0x28, 0xb5, 0x2f, 0xfd];
    anyhow::ensure!(!compressed, "is compressed, which nodes can't load: decompress it with gunzip or unzstd");
    Ok(tar::Archive::new(File::open(path)?))
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path, name: &str) -> anyhow::Result<T> {
    let parsed = serde_json::from_slice(&bytes(path, name)?);
    parsed.with_context(|| format!("its {name} is no valid JSON of an image; {MAKE_ONE}"))
}

/// The content of a small file in the archive.
fn bytes(path: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = open(path)?;
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        if entry.path()?.to_string_lossy().trim_start_matches("./") == name {
            let mut bytes = Vec::new();
            entry.take(JSON_MAX_BYTES).read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    anyhow::bail!("{name} is not in it; {MAKE_ONE}")
}

fn check_platform(config: &Config) -> anyhow::Result<()> {
    let here = oci::architecture();
    let fits = config.os == "linux" && config.architecture == here;
    anyhow::ensure!(fits, "is for {}/{}, the node is linux/{here}; {MAKE_ONE} there", config.os, config.architecture);
    Ok(())
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
