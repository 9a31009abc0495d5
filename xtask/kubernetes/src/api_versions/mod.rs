//! API versions that Kubernetes deprecates or no longer serves, and the objects of a chart that use one.

use std::sync::LazyLock;

use serde_json::Value;

/// Every API version that a release deprecates or removes.
static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| include_str!("table.txt").lines().filter_map(Row::parse).collect());

/// A kind in one API version. Releases are minor versions of Kubernetes 1.
struct Row {
    api_version: &'static str,
    kind: &'static str,
    /// The release that deprecates it.
    deprecated: u32,
    /// The first release that does not serve it.
    gone: u32,
    /// The API version to use instead.
    instead: Option<&'static str>,
}

/// An object whose API version has to change.
#[derive(Debug, PartialEq, Eq)]
pub enum Outdated {
    /// The release does not serve it.
    Gone(String),
    /// The release serves it, but a later one won't.
    Deprecated(String),
}

/// Returns what is wrong with an object's API version in a minor release of Kubernetes 1, or `None` if nothing is.
pub fn outdated(object: &Value, release: u32) -> Option<Outdated> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    let row = TABLE.iter().find(|row| row.api_version == api_version && row.kind == kind)?;
    let Row { deprecated, gone, instead, .. } = row;
    let fix = instead.map(|instead| format!("; use {instead}")).unwrap_or_default();
    let what = format!("{kind}/{name}: {api_version}");
    if *gone <= release {
        return Some(Outdated::Gone(format!("{what} is gone since Kubernetes 1.{gone}{fix}")));
    }
    let message = format!("{what} is deprecated since Kubernetes 1.{deprecated} and gone from 1.{gone} on{fix}");
    (*deprecated <= release).then_some(Outdated::Deprecated(message))
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [api_version, kind, deprecated, gone, instead] = words[..] else { return None };
        let minor = |release: &str| release.strip_prefix("1.")?.parse().ok();
        let instead = (instead != "-").then_some(instead);
        Some(Self { api_version, kind, deprecated: minor(deprecated)?, gone: minor(gone)?, instead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(api_version: &str, kind: &str) -> Value {
        json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "web" } })
    }

    #[test]
    fn every_line_of_the_table_parses() {
        let lines = include_str!("table.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(TABLE.len(), lines);
        for row in TABLE.iter() {
            assert!(row.deprecated <= row.gone, "{}/{}", row.api_version, row.kind);
            let replaced = TABLE.iter().any(|other| Some(other.api_version) == row.instead && other.kind == row.kind);
            assert!(!replaced, "{} {} is replaced by a version that is outdated, too", row.api_version, row.kind);
        }
    }

    #[test]
    fn a_version_that_is_gone_differs_from_one_that_is_deprecated() {
        let budget = object("policy/v1beta1", "PodDisruptionBudget");
        let gone = "PodDisruptionBudget/web: policy/v1beta1 is gone since Kubernetes 1.25; use policy/v1";
        assert_eq!(outdated(&budget, 34), Some(Outdated::Gone(gone.to_owned())));
        let class = object("resource.k8s.io/v1beta1", "DeviceClass");
        let deprecated = "DeviceClass/web: resource.k8s.io/v1beta1 is deprecated since Kubernetes 1.35 and gone from \
                          1.38 on; use resource.k8s.io/v1";
        assert_eq!(outdated(&class, 34), None);
        assert_eq!(outdated(&class, 35), Some(Outdated::Deprecated(deprecated.to_owned())));
    }

    #[test]
    fn versions_that_stay_and_custom_resources_are_never_outdated() {
        for (api_version, kind) in
            [("policy/v1", "PodDisruptionBudget"), ("v1", "Service"), ("example.com/v1beta1", "A")]
        {
            assert_eq!(outdated(&object(api_version, kind), 99), None, "{api_version} {kind}");
        }
    }
}
