//! URL paths to kinds, namespaces, names and subresources.

use serde_json::json;

use crate::kinds::{KINDS, Kind};
use crate::registry::Registry;
use crate::status::Status;

/// The parts of a path.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace; `None` for cluster-wide kinds and for lists over all namespaces.
    pub namespace: Option<String>,
    /// The object's name; `None` for a collection.
    pub name: Option<String>,
    /// `status`, `log` …
    pub subresource: Option<String>,
}

impl Target {
    /// Returns the namespace, empty for cluster-wide kinds, as the store expects it.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the resource as rules and faults name it: `pods`, `pods/log`.
    pub fn resource(&self) -> String {
        let subresource = self.subresource.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}{subresource}", self.kind.plural)
    }
}

/// Why a path is invalid.
#[derive(Debug, PartialEq, Eq)]
pub enum UnknownPath {
    /// The group and version do not exist: not a path of the API.
    Group,
    /// The group exists, but not the resource.
    Resource,
}

/// Returns 404 for a resource that is not served.
pub fn unknown_resource() -> Status {
    let message = "the server could not find the requested resource";
    Status { details: json!({}), ..Status::new(404, "NotFound", message) }
}

/// Parses `path`.
pub fn parse(registry: &Registry, path: &str) -> Result<Target, UnknownPath> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(UnknownPath::Group),
    };
    let is_served = |kind: &Kind| kind.group == group && kind.version == version;
    let is_custom = || registry.custom().served().any(|custom| is_served(custom.kind));
    if !KINDS.iter().any(is_served) && !is_custom() {
        return Err(UnknownPath::Group);
    }
    let owned = |text: &str| text.to_owned();
    let find = |plural: &str, namespaced: bool| {
        registry.find_kind(group, version, plural).filter(|k| !namespaced || k.namespaced).ok_or(UnknownPath::Resource)
    };
    let target = |kind, namespace: Option<&str>, rest: &[&str]| match rest {
        [] => Ok(Target { kind, namespace: namespace.map(owned), name: None, subresource: None }),
        [name, rest @ ..] => Ok(Target {
            kind,
            namespace: namespace.map(owned),
            name: Some(owned(name)),
            subresource: (!rest.is_empty()).then(|| rest.join("/")),
        }),
    };
    match rest {
        ["namespaces", namespace, plural, rest @ ..] if !is_namespace_subresource(plural) => {
            target(find(plural, true)?, Some(namespace), rest)
        }
        [plural, rest @ ..] => target(find(plural, false)?, None, rest),
        [] => Err(UnknownPath::Resource),
    }
}

fn is_namespace_subresource(segment: &str) -> bool {
    matches!(segment, "status" | "finalize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> String {
        match parse(&Registry::new(), path) {
            Ok(t) => format!("{} {:?} {:?} {:?}", t.kind.plural, t.namespace, t.name, t.subresource),
            Err(unknown) => format!("{unknown:?}"),
        }
    }

    #[test]
    fn paths_are_parsed_as_by_kube_apiserver() {
        let table = [
            ("/api/v1/pods", "pods None None None"),
            ("/api/v1/namespaces", "namespaces None None None"),
            ("/api/v1/namespaces/a", "namespaces None Some(\"a\") None"),
            ("/api/v1/namespaces/a/status", "namespaces None Some(\"a\") Some(\"status\")"),
            ("/api/v1/namespaces/a/pods/p/log", "pods Some(\"a\") Some(\"p\") Some(\"log\")"),
            ("/apis/apps/v1/namespaces/a/statefulsets", "statefulsets Some(\"a\") None None"),
            ("/apis/apps/v1/namespaces/a/nosuch", "Resource"),
            ("/apis/apps/v2/deployments", "Group"),
            ("/api/v1/namespaces/a/nodes", "Resource"),
        ];
        for (path, wanted) in table {
            assert_eq!(parsed(path), wanted, "{path}");
        }
    }
}
