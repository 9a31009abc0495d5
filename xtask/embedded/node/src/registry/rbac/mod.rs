//! Authorization: evaluates the stored roles and bindings as kube-apiserver's RBAC authorizer does.

mod grants;
mod rule;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

pub use self::rule::AccessRequest;
pub(crate) use self::rule::allows;
use super::Registry;
use super::tokens::Account;
use super::value::{items, text};
use crate::kinds;
use crate::selector;

/// The API group of roles and bindings.
pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

/// Returns the name of a service account's user.
pub(crate) fn user((namespace, name): &Account) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// Returns the groups of a service account's user.
pub(crate) fn groups((namespace, _): &Account) -> [String; 3] {
    ["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}"), "system:authenticated".into()]
}

impl Registry {
    /// Returns whether a service account has a permission in a namespace, or at the cluster scope if that is empty.
    pub fn may(&self, account: &Account, namespace: &str, access: &AccessRequest) -> bool {
        self.rules_of(account, namespace).iter().any(|rule| allows(rule, access))
    }

    /// Returns the rules for a service account in a namespace, or at the cluster scope if that is empty.
    pub(crate) fn rules_of(&self, account: &Account, namespace: &str) -> Vec<Value> {
        let mut bindings = self.stored("clusterrolebindings", None);
        if !namespace.is_empty() {
            bindings.extend(self.stored("rolebindings", Some(namespace)));
        }
        let bindings = bindings.iter().filter(|binding| {
            items(binding, "subjects")
                .any(|subject| is_subject(account, subject, text(&binding["metadata"], "namespace")))
        });
        bindings.flat_map(|binding| self.rules_of_role(&binding["roleRef"], namespace)).collect()
    }

    /// Returns the rules of the role that a binding refers to; none if it is missing.
    fn rules_of_role(&self, role: &Value, namespace: &str) -> Vec<Value> {
        let (plural, namespace) = if role["kind"] == "Role" { ("roles", namespace) } else { ("clusterroles", "") };
        let Some(kind) = kinds::find(GROUP, "v1", plural) else { return Vec::new() };
        let Some(role) = self.store.get(kind, namespace, text(role, "name")) else { return Vec::new() };
        let mut rules: Vec<Value> = items(&role, "rules").cloned().collect();
        for selector in items(&role["aggregationRule"], "clusterRoleSelectors") {
            let Ok(selector) = serde_json::from_value::<LabelSelector>(selector.clone()) else { continue };
            for other in self.stored("clusterroles", None) {
                let labels = serde_json::from_value(other["metadata"]["labels"].clone()).unwrap_or_default();
                if selector::matches(&selector, Some(&labels)) {
                    rules.extend(items(&other, "rules").cloned());
                }
            }
        }
        rules
    }

    fn stored(&self, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        kinds::find(GROUP, "v1", plural).map(|kind| self.store.list(kind, namespace).0).unwrap_or_default()
    }
}

fn is_subject(account: &Account, subject: &Value, namespace_of_binding: &str) -> bool {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => name == user(account),
        "Group" => groups(account).iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = Some(text(subject, "namespace")).filter(|namespace| !namespace.is_empty());
            namespace.unwrap_or(namespace_of_binding) == account.0 && name == account.1
        }
        _ => false,
    }
}
