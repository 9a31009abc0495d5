//! Checks an image archive before anything is created.

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

/// The limit for JSON files in an archive.
const JSON_MAX_BYTES: u64 = 4_000_000;

/// Reads an archive's table of contents, checks that it can be loaded here and returns what it contains.
///
/// # Errors
/// Usage errors with what is wrong with the file and how to create a valid one.
pub fn check(path: &Path) -> anyhow::Result<Archive> {
    inspect(path).map_err(|error| exit::usage(format!("{}: {error:#}", path.display())))
}

fn inspect(path: &Path) -> anyhow::Result<Archive> {
    let names = names(path)?;
    if !names.contains("manifest.json") {
        anyhow::bail!(no_manifest(&names));
    }
    let images: Vec<SavedImage> = json(path, "manifest.json")?;
    anyhow::ensure!(!images.is_empty(), "its manifest.json lists no image; {MAKE_ONE}");
    let mut references = Vec::new();
    for image in images {
        if let Some(missing) = image.layers.iter().chain([&image.config]).find(|name| !names.contains(name.as_str())) {
            anyhow::bail!("{missing} is listed in its manifest.json but missing: the file is truncated; {MAKE_ONE}");
        }
        check_platform(&json(path, &image.config)?)?;
        for tag in image.repo_tags.unwrap_or_default() {
            references.push(tag.parse::<Reference>().map_err(|error| anyhow::anyhow!("its tag {tag:?}: {error}"))?);
        }
    }
    anyhow::ensure!(!references.is_empty(), "its images have no tag, so no chart can refer to them; {MAKE_ONE}");
    Ok(Archive { path: path.to_owned(), references })
}

/// Returns the IDs that a node uses for each image of an archive: the digest of its configuration and, if the archive has
/// an index, that of its manifest.
///
/// # Errors
/// If the archive can't be read.
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

/// Returns the digests of the manifests with this full name: a tag alone does not identify the repository.
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
        return format!("is an OCI layout without the manifest.json that Docker's tools require; {MAKE_ONE}");
    }
    format!("is a tar archive of {} files, but not an image archive; {MAKE_ONE}", names.len())
}

/// Returns the names of all files in the archive.
fn names(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut archive = open(path)?;
    for entry in archive.entries_with_seek().context("can't be read")? {
        let entry = entry.context("is not a tar archive, or is truncated").context(MAKE_ONE)?;
        names.insert(entry.path()?.to_string_lossy().trim_start_matches("./").to_owned());
    }
    anyhow::ensure!(!names.is_empty(), "is empty; {MAKE_ONE}");
    Ok(names)
}

fn open(path: &Path) -> anyhow::Result<tar::Archive<File>> {
    let mut file = File::open(path).context("can't be read")?;
    anyhow::ensure!(file.metadata()?.is_file(), "is not a file");
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).context("can't be read")?;
    let compressed = start.starts_with(&[0x1f, 0x8b]) || start == [0x28, 0xb5, 0x2f, 0xfd];
    anyhow::ensure!(!compressed, "is compressed, which nodes can't load: decompress it with gunzip or unzstd");
    Ok(tar::Archive::new(File::open(path)?))
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path, name: &str) -> anyhow::Result<T> {
    let parsed = serde_json::from_slice(&bytes(path, name)?);
    parsed.with_context(|| format!("its {name} is not valid JSON for an image; {MAKE_ONE}"))
}

/// Returns the content of a small file in the archive.
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
    anyhow::bail!("it contains no {name}; {MAKE_ONE}")
}

fn check_platform(config: &Config) -> anyhow::Result<()> {
    let here = oci::architecture();
    let fits = config.os == "linux" && config.architecture == here;
    anyhow::ensure!(
        fits,
        "is for {}/{}, but the node is linux/{here}; {MAKE_ONE} on linux/{here}",
        config.os,
        config.architecture
    );
    Ok(())
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
