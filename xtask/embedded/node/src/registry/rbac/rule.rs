//! One rule of a role.

use serde_json::Value;

use crate::registry::value::items;

/// A request to be authorized.
#[derive(Debug, Clone, Copy)]
pub enum AccessRequest<'a> {
    /// A request for objects.
    Resource {
        /// `get`, `list`, `create` …
        verb: &'a str,
        /// API group, empty for the core group.
        group: &'a str,
        /// `pods`, `pods/log`.
        resource: &'a str,
        /// The object's name, empty for a collection and for an object without a name yet.
        name: &'a str,
    },
    /// A request for a non-resource path.
    Path {
        /// `get` …
        verb: &'a str,
        /// `/metrics`.
        path: &'a str,
    },
}

/// Returns whether a rule allows it.
pub(crate) fn allows(rule: &Value, access: &AccessRequest) -> bool {
    match *access {
        AccessRequest::Resource { verb, group, resource, name } => {
            lists(rule, "verbs", verb)
                && lists(rule, "apiGroups", group)
                && (lists(rule, "resources", resource) || lists_subresource(rule, resource))
                && (items(rule, "resourceNames").next().is_none() || has(rule, "resourceNames", name))
        }
        AccessRequest::Path { verb, path } => {
            lists(rule, "verbs", verb)
                && items(rule, "nonResourceURLs").filter_map(Value::as_str).any(|url| match url.strip_suffix('*') {
                    Some(start) => path.starts_with(start),
                    None => path == url,
                })
        }
    }
}

fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    items(rule, field).any(|item| item == wanted)
}

fn lists(rule: &Value, field: &str, wanted: &str) -> bool {
    has(rule, field, "*") || has(rule, field, wanted)
}

/// Matches `*/scale`: a subresource of all resources.
fn lists_subresource(rule: &Value, resource: &str) -> bool {
    resource.split_once('/').is_some_and(|(_, subresource)| has(rule, "resources", &format!("*/{subresource}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn access<'a>(verb: &'a str, group: &'a str, resource: &'a str, name: &'a str) -> AccessRequest<'a> {
        AccessRequest::Resource { verb, group, resource, name }
    }

    #[test]
    fn a_rule_allows_only_what_it_lists() {
        let rule = json!({"apiGroups": ["", "apps"], "resources": ["pods", "*/scale"], "verbs": ["get", "update"]});
        assert!(allows(&rule, &access("get", "", "pods", "a")));
        assert!(allows(&rule, &access("update", "apps", "deployments/scale", "a")));
        for other in [
            access("list", "", "pods", ""),
            access("get", "batch", "pods", "a"),
            access("get", "", "pods/log", "a"),
            access("get", "", "secrets", "a"),
            AccessRequest::Path { verb: "get", path: "/metrics" },
        ] {
            assert!(!allows(&rule, &other), "{other:?}");
        }
    }

    #[test]
    fn a_rule_with_resource_names_does_not_allow_collections() {
        let rule = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "resourceNames": ["a"]});
        assert!(allows(&rule, &access("get", "", "secrets", "a")));
        assert!(!allows(&rule, &access("get", "", "secrets", "b")));
        assert!(!allows(&rule, &access("list", "", "secrets", "")));
        assert!(!allows(&rule, &access("create", "", "secrets", "")));
    }

    #[test]
    fn paths_may_end_in_an_asterisk() {
        let rule = json!({"nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]});
        let path = |path| AccessRequest::Path { verb: "get", path };
        assert!(allows(&rule, &path("/metrics")) && allows(&rule, &path("/logs/a")));
        assert!(!allows(&rule, &path("/metrics/a")) && !allows(&rule, &path("/log")));
        assert!(!allows(&rule, &access("get", "", "pods", "")));
    }
}
