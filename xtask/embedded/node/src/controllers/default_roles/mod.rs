//! The roles and bindings that every cluster has from the start: `cluster-admin`, `admin`, `edit`, `view`, `system:…`.
//! `roles.txt` is the table of the roles.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role};
use serde_json::{Value, json};

use crate::client::parsed;
use crate::registry::rbac::{GROUP, aggregate};
use crate::status::Status;

static TABLE: &str = include_str!("roles.txt");

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];

/// Which cluster roles are bound, and to whom: the kind and the name of a subject.
const BINDINGS: &[(&str, &[(&str, &str)])] = &[
    ("cluster-admin", &[("Group", "system:masters")]),
    ("system:basic-user", &[("Group", "system:authenticated")]),
    ("system:discovery", &[("Group", "system:authenticated")]),
    ("system:kube-controller-manager", &[("User", "system:kube-controller-manager")]),
    ("system:kube-dns", &[("ServiceAccount", "kube-dns")]),
    ("system:kube-scheduler", &[("User", "system:kube-scheduler")]),
    ("system:monitoring", &[("Group", "system:monitoring")]),
    ("system:node", &[]),
    ("system:node-proxier", &[("User", "system:kube-proxy")]),
    ("system:public-info-viewer", &[("Group", "system:authenticated"), ("Group", "system:unauthenticated")]),
    ("system:service-account-issuer-discovery", &[("Group", "system:serviceaccounts")]),
    ("system:volume-scheduler", &[("User", "system:kube-scheduler")]),
];

/// Returns the cluster roles. The rules of those that aggregate others are those of a cluster that has settled.
///
/// # Errors
/// If one of them is not a valid role.
pub fn cluster_roles() -> Result<Vec<ClusterRole>, Status> {
    let mut roles: Vec<Value> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix(' '), roles.last_mut()) {
            (Some(rule), Some(role)) => {
                if let Some(rules) = role["rules"].as_array_mut() {
                    rules.push(parse_rule(rule));
                }
            }
            _ => roles.push(parse_role(line)),
        }
    }
    for name in ["view", "edit", "admin"] {
        let all: Vec<&Value> = roles.iter().collect();
        let rules = all.iter().find(|role| role["metadata"]["name"] == name).map(|role| aggregate(role, &all));
        if let Some(role) = roles.iter_mut().find(|role| role["metadata"]["name"] == name) {
            role["rules"] = rules.into();
        }
    }
    roles.iter().map(parsed).collect()
}

/// Returns the bindings of cluster roles.
///
/// # Errors
/// If one of them is not a valid binding.
pub fn cluster_role_bindings() -> Result<Vec<ClusterRoleBinding>, Status> {
    let subject = |(kind, name): &(&str, &str)| match *kind {
        "ServiceAccount" => json!({"kind": kind, "name": name, "namespace": "kube-system"}),
        _ => json!({"kind": kind, "name": name, "apiGroup": GROUP}),
    };
    let binding = |(role, subjects): &(&str, &[(&str, &str)])| {
        let role_ref = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": role});
        let subjects: Vec<Value> = subjects.iter().map(subject).collect();
        parsed(&json!({"metadata": metadata(role), "roleRef": role_ref, "subjects": subjects}))
    };
    BINDINGS.iter().map(binding).collect()
}

/// Returns the role of `kube-system` that lets API servers of charts read how clients are authenticated.
///
/// # Errors
/// If it is not a valid role.
pub fn authentication_reader() -> Result<Role, Status> {
    let mut role = json!({"metadata": metadata("extension-apiserver-authentication-reader")});
    role["metadata"]["namespace"] = "kube-system".into();
    role["rules"] = json!([parse_rule("read core configmaps only=extension-apiserver-authentication")]);
    parsed(&role)
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}

/// Parses `NAME [to=ROLE]`. The roles without rules of their own aggregate others.
fn parse_role(line: &str) -> Value {
    let (name, target) = line.split_once(" to=").map_or((line, None), |(name, target)| (name, Some(target)));
    let label = |target: &str| format!("rbac.authorization.k8s.io/aggregate-to-{target}");
    let mut role = json!({"metadata": metadata(name), "rules": []});
    if let Some(target) = target {
        role["metadata"]["labels"][label(target)] = "true".into();
    }
    if ["admin", "edit", "view"].contains(&name) {
        role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label(name): "true"}}]});
    }
    role
}

/// Parses `VERBS GROUPS RESOURCES [only=NAMES]` or `VERBS PATHS`.
fn parse_rule(line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').collect();
    let list = |word: &str| word.split(',').map(str::to_owned).collect::<Vec<_>>();
    match words.as_slice() {
        [verbs, paths] => json!({"verbs": parse_verbs(verbs), "nonResourceURLs": list(paths)}),
        [verbs, groups, resources, rest @ ..] => {
            let groups: Vec<&str> = groups.split(',').map(|group| if group == "core" { "" } else { group }).collect();
            let mut rule = json!({"verbs": parse_verbs(verbs), "apiGroups": groups, "resources": list(resources)});
            if let Some(names) = rest.first().and_then(|word| word.strip_prefix("only=")) {
                rule["resourceNames"] = list(names).into();
            }
            rule
        }
        _ => json!({}),
    }
}

fn parse_verbs(words: &str) -> Vec<&str> {
    let meaning = |word| match word {
        "read" => READ.to_vec(),
        "write" => WRITE.to_vec(),
        verb => vec![verb],
    };
    let mut verbs: Vec<&str> = words.split(',').flat_map(meaning).collect();
    verbs.sort_unstable();
    verbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_role_or_a_rule() {
        let roles = cluster_roles().unwrap();
        assert_eq!(roles.len(), TABLE.lines().filter(|line| !line.starts_with(['#', ' '])).count());
        for role in &roles {
            let name = role.metadata.name.as_deref().unwrap();
            for rule in role.rules.as_ref().unwrap_or_else(|| panic!("{name} has no rules")) {
                let is_of_resources = rule.resources.is_some() && rule.api_groups.is_some();
                assert!(
                    is_of_resources != rule.non_resource_urls.is_some() && !rule.verbs.is_empty(),
                    "{name}: {rule:?}"
                );
            }
        }
    }

    #[test]
    fn admin_contains_edit_which_contains_view() {
        let roles = cluster_roles().unwrap();
        let rules = |name: &str| {
            let role = roles.iter().find(|role| role.metadata.name.as_deref() == Some(name)).unwrap();
            role.rules.clone().unwrap()
        };
        let (admin, edit, view) = (rules("admin"), rules("edit"), rules("view"));
        assert!(view.iter().all(|rule| edit.contains(rule)) && edit.iter().all(|rule| admin.contains(rule)));
        assert!(view.len() < edit.len() && edit.len() < admin.len());
        assert!(!view.iter().any(|rule| rule.resources.iter().flatten().any(|resource| resource == "secrets")));
    }
}
