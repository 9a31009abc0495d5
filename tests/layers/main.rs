//! Keeps the layers: no import cycle between the modules of any crate, and the map of docs/architecture.md is that of the
//! manifests. Between crates, cargo allows no cycle.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod graph;
mod map;
mod modules;

use std::path::{Path, PathBuf};

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every package of the workspace: its name and folder.
fn packages() -> Vec<(String, PathBuf)> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let folders = members.iter().map(|member| root().join(member.as_str().unwrap()));
    folders.map(|folder| (read_manifest(&folder)["package"]["name"].as_str().unwrap().to_owned(), folder)).collect()
}

fn read_manifest(folder: &Path) -> toml::Table {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}
