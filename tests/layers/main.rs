//! Checks the layers: the modules of each crate import each other without cycles, and the map in docs/architecture.md
//! matches the manifests. Between crates, cargo rejects cycles.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod graph;
mod map;
mod modules;

use std::path::{Path, PathBuf};

/// Returns the workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the name and the folder of every package of the workspace.
fn packages() -> Vec<(String, PathBuf)> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let folders = members.iter().map(|member| root().join(member.as_str().unwrap()));
    folders.map(|folder| (read_manifest(&folder)["package"]["name"].as_str().unwrap().to_owned(), folder)).collect()
}

fn read_manifest(folder: &Path) -> toml::Table {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}
