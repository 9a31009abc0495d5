//! Checks an image archive before anything is created for it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::{Archive, Reference};
use crate::exit;

/// Larger JSON files than this are not ours to read.
const JSON_MAX_BYTES: u64 = 4_000_000;

/// One image of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    architecture: String,
    os: String,
}

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
    let images: Vec<Image> = json(path, "manifest.json")?;
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
    let mut archive = open(path)?;
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        if entry.path()?.to_string_lossy().trim_start_matches("./") == name {
            let parsed = serde_json::from_reader(entry.take(JSON_MAX_BYTES));
            return parsed.with_context(|| format!("its {name} is no valid JSON of an image; {MAKE_ONE}"));
        }
    }
    anyhow::bail!("{name} is not in it; {MAKE_ONE}")
}

fn check_platform(config: &Config) -> anyhow::Result<()> {
    let here = super::write::architecture();
    let fits = config.os == "linux" && config.architecture == here;
    anyhow::ensure!(fits, "is for {}/{}, the node is linux/{here}; {MAKE_ONE} there", config.os, config.architecture);
    Ok(())
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
