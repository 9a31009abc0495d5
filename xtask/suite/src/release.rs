//! The parts of a topology: its releases in their namespaces, and the Secrets that must exist first.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{ChartSource, PodSecurity};

/// A release of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// The chart.
    pub(super) chart: String,
    /// The chart's version, if it is pulled.
    #[serde(default)]
    pub(super) version: Option<String>,
    /// The part of the topology to which it is deployed, with its own namespace; by default the topology's first one.
    #[serde(default)]
    pub namespace: String,
    /// Releases that must be ready before this one is installed, as `name` or `namespace/name`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Values files, relative to the chart.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// Additional values, for helm's `--set`; `${namespace}` and `${namespace:PART}` are replaced.
    #[serde(default)]
    pub set: Vec<String>,
    /// The Pod Security Standard of its namespace, instead of the topology's.
    #[serde(default)]
    pub pod_security: Option<PodSecurity>,
    /// Whether it does not use the image under test.
    #[serde(default)]
    pub own_image: bool,
    /// The source of its chart.
    #[serde(skip)]
    pub source: ChartSource,
    /// The place of its chart in the suite file: `helm/caesium/e2e.toml:7`.
    #[serde(skip)]
    pub place: String,
}

/// A Secret that is created before anything is installed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSpec {
    /// Its name.
    pub name: String,
    /// The parts of the topology in which it is created; by default the topology's first namespace.
    #[serde(default = "first_namespace")]
    pub namespaces: Vec<String>,
    /// Its data, in plain text.
    pub data: BTreeMap<String, String>,
}

impl Release {
    /// Returns its name in cases and `needs`: `name`, or `namespace/name` outside of the topology's first namespace.
    pub fn key(&self) -> String {
        if self.namespace.is_empty() { self.name.clone() } else { format!("{}/{}", self.namespace, self.name) }
    }
}

/// The names of a topology's namespaces, by part; the first part is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces(pub BTreeMap<String, String>);

impl Namespaces {
    /// Returns a text with `${namespace}` and `${namespace:PART}` replaced.
    ///
    /// # Errors
    /// If a placeholder is not closed, has another name, or names a part without a release.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (hole, rest) = part.split_once('}').ok_or_else(|| format!("`${{{part}` is not closed: add a `}}`"))?;
            filled += self.find(hole)?;
            filled += rest;
        }
        Ok(filled)
    }

    fn find(&self, hole: &str) -> Result<&str, String> {
        let part = if hole == "namespace" { Some("") } else { hole.strip_prefix("namespace:") };
        let found = part.and_then(|part| self.0.get(part)).map(String::as_str);
        found.ok_or_else(|| {
            let parts = self
                .0
                .keys()
                .map(|part| if part.is_empty() { "namespace".into() } else { format!("namespace:{part}") });
            format!("`${{{hole}}}` is unknown: expected one of ${{{}}}", parts.collect::<Vec<_>>().join("}, ${"))
        })
    }
}

fn first_namespace() -> Vec<String> {
    vec![String::new()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces() -> Namespaces {
        Namespaces([("", "run"), ("infra", "run-infra")].map(|(part, name)| (part.to_owned(), name.to_owned())).into())
    }

    #[test]
    fn namespaces_are_filled_in() {
        let filled = namespaces().fill("db.host=db.${namespace:infra}.svc,own=${namespace}$").unwrap();
        assert_eq!(filled, "db.host=db.run-infra.svc,own=run$");
    }

    #[test]
    fn a_wrong_placeholder_is_reported_with_the_valid_ones() {
        let error = namespaces().fill("${namespace:inrfa}").unwrap_err();
        assert_eq!(error, "`${namespace:inrfa}` is unknown: expected one of ${namespace}, ${namespace:infra}");
        assert_eq!(namespaces().fill("${namespace").unwrap_err(), "`${namespace` is not closed: add a `}`");
    }

    #[test]
    fn a_release_is_named_with_its_namespace_unless_that_is_the_first() {
        let release = Release { name: "order".to_owned(), ..Release::default() };
        assert_eq!(release.key(), "order");
        assert_eq!(Release { namespace: "staging".to_owned(), ..release }.key(), "staging/order");
    }
}
