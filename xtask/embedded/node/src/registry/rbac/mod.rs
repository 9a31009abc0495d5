//! Authorization: evaluates the stored roles and bindings as kube-apiserver's RBAC authorizer does.

mod grants;
mod rule;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

pub use self::rule::AccessRequest;
pub(crate) use self::rule::allows;
use super::Registry;
use super::user::User;
use super::value::{items, text};
use crate::kinds;
use crate::selector;

/// The API group of roles and bindings.
pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

impl Registry {
    /// Returns whether a user has a permission in a namespace, or at the cluster scope if that is empty.
    pub fn may(&self, user: &User, namespace: &str, access: &AccessRequest) -> bool {
        user.is_admin() || self.rules_of(user, namespace).iter().any(|rule| allows(rule, access))
    }

    /// Returns the rules for a user in a namespace, or at the cluster scope if that is empty.
    pub(crate) fn rules_of(&self, user: &User, namespace: &str) -> Vec<Value> {
        let mut bindings = self.stored("clusterrolebindings", None);
        if !namespace.is_empty() {
            bindings.extend(self.stored("rolebindings", Some(namespace)));
        }
        let bindings = bindings.iter().filter(|binding| {
            items(binding, "subjects").any(|subject| is_subject(user, subject, text(&binding["metadata"], "namespace")))
        });
        bindings.flat_map(|binding| self.rules_of_role(&binding["roleRef"], namespace)).collect()
    }

    /// Returns the rules of the role that a binding refers to; none if it is missing.
    fn rules_of_role(&self, role: &Value, namespace: &str) -> Vec<Value> {
        let (plural, namespace) = if role["kind"] == "Role" { ("roles", namespace) } else { ("clusterroles", "") };
        let Some(kind) = kinds::find(GROUP, "v1", plural) else { return Vec::new() };
        let Some(role) = self.store.get(kind, namespace, text(role, "name")) else { return Vec::new() };
        let mut rules: Vec<Value> = items(&role, "rules").cloned().collect();
        if role["aggregationRule"].is_object() {
            let others = self.stored("clusterroles", None);
            let others: Vec<&Value> = others.iter().map(AsRef::as_ref).collect();
            rules.extend(aggregate(&role, &others));
        }
        rules
    }

    fn stored(&self, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        kinds::find(GROUP, "v1", plural).map(|kind| self.store.list(kind, namespace).0).unwrap_or_default()
    }
}

/// Returns the rules of all cluster roles that a role selects, each once.
pub(crate) fn aggregate(role: &Value, others: &[&Value]) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for selector in items(&role["aggregationRule"], "clusterRoleSelectors") {
        let Ok(selector) = serde_json::from_value::<LabelSelector>(selector.clone()) else { continue };
        let is_selected = |other: &&Value| {
            let labels = serde_json::from_value(other["metadata"]["labels"].clone()).unwrap_or_default();
            other["metadata"]["name"] != role["metadata"]["name"] && selector::matches(&selector, Some(&labels))
        };
        for rule in others.iter().copied().filter(is_selected).flat_map(|other| items(other, "rules")) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

fn is_subject(user: &User, subject: &Value, namespace_of_binding: &str) -> bool {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => name == user.name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = Some(text(subject, "namespace")).filter(|namespace| !namespace.is_empty());
            let namespace = namespace.unwrap_or(namespace_of_binding);
            user.name.strip_prefix("system:serviceaccount:") == Some(&format!("{namespace}:{name}"))
        }
        _ => false,
    }
}
