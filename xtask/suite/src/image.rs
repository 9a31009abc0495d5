//! An image under test.

use oci::Reference;
use serde::Deserialize;

/// How an image under test is set in the chart's values, and its stand-in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageUnderTest {
    /// Its name, for `--image NAME=REF` and the workloads that run it. Each of several has one.
    #[serde(default)]
    pub name: Option<String>,
    /// The path of the value for the repository: `image.repository`. Without a `tag`, it is set to the whole reference.
    pub repository: String,
    /// The path of the value for the tag: `image.tag`.
    #[serde(default)]
    pub tag: Option<String>,
    /// The path of the value for the registry, if the chart prepends one to the repository: `image.registry`.
    #[serde(default)]
    pub registry: Option<String>,
    /// The path of the value for the digest, if the chart sets one by default; it is set to nothing.
    #[serde(default)]
    pub digest: Option<String>,
    /// The stand-in's program in its image: `/bin/caesium`. If not set, there is no stand-in, and the chart's own image is
    /// tested.
    #[serde(default)]
    pub stand_in: Option<String>,
    /// The place in the suite file: `helm/caesium/e2e.toml:7`.
    #[serde(skip)]
    pub place: String,
}

impl ImageUnderTest {
    /// Returns the values that set an image in the chart, for `--set-string`.
    pub fn values(&self, image: &Reference) -> Vec<String> {
        let tag = image.tag.clone().unwrap_or_default();
        let name = if self.registry.is_some() { image.repository.clone() } else { image.name() };
        let name = if self.tag.is_some() { name } else { format!("{name}:{tag}") };
        let registry = self.registry.iter().map(|path| format!("{path}={}", image.registry));
        let tag = self.tag.iter().map(|path| format!("{path}={tag}"));
        let digest = self.digest.iter().map(|path| format!("{path}="));
        registry.chain([format!("{}={name}", self.repository)]).chain(tag).chain(digest).collect()
    }
}
