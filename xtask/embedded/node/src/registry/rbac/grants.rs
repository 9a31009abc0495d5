//! Privilege escalation: a writer must hold a role's rules, and those of a binding's role, or be allowed to
//! `escalate` or
//! `bind`.

use serde_json::{Value, json};

use super::{AccessRequest, GROUP, allows};
use crate::kinds::Kind;
use crate::registry::user::User;
use crate::registry::value::{items, text};
use crate::registry::{Registry, Writer};
use crate::status::Status;
use crate::store;

impl Registry {
    /// Checks whether a user may write this role or binding; other kinds and writers always pass.
    pub(in crate::registry) fn check_grant(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        object: &Value,
    ) -> Result<(), Status> {
        let Some(user) = writer.user.as_ref().filter(|user| kind.group == GROUP && !user.is_admin()) else {
            return Ok(());
        };
        let (namespace, name) = store::key(object);
        let given = match kind.built_in() {
            "Role" | "ClusterRole" => {
                if self.may(user, &namespace, &access("escalate", kind.plural, &name)) {
                    return Ok(());
                }
                // The rules that it will gather from other roles are not known beforehand.
                let gathers = !object["aggregationRule"].is_null();
                let everything = gathers.then(|| json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
                items(object, "rules").cloned().chain(everything).collect::<Vec<_>>()
            }
            _ => {
                let role = &object["roleRef"];
                let plural = if role["kind"] == "Role" { "roles" } else { "clusterroles" };
                if self.may(user, &namespace, &access("bind", plural, text(role, "name"))) {
                    return Ok(());
                }
                self.rules_of_role(role, &namespace)
            }
        };
        let held = self.rules_of(user, &namespace);
        let missing: Vec<String> = given.iter().filter(|rule| !covers(&held, rule)).map(shown).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Status::forbidden(kind, &name, &refusal(user, &missing)))
    }
}

fn access<'a>(verb: &'a str, resource: &'a str, name: &'a str) -> AccessRequest<'a> {
    AccessRequest::Resource { verb, group: GROUP, resource, name }
}

fn refusal(user: &User, missing: &[String]) -> String {
    let groups: Vec<String> = user.groups.iter().map(|group| format!("\"{group}\"")).collect();
    let groups = groups.join(" ");
    let missing = missing.join("\n");
    let user = &user.name;
    format!(
        "user \"{user}\" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{missing}"
    )
}

/// Returns whether the held rules cover everything that a rule would allow.
fn covers(held: &[Value], rule: &Value) -> bool {
    let texts = |field: &str| items(rule, field).filter_map(Value::as_str).collect::<Vec<_>>();
    let (verbs, names) = (texts("verbs"), texts("resourceNames"));
    let names = if names.is_empty() { vec![""] } else { names };
    let is_held = |access: &AccessRequest| held.iter().any(|rule| allows(rule, access));
    verbs.iter().all(|verb| {
        let resources = texts("apiGroups").iter().all(|group| {
            texts("resources").iter().all(|resource| {
                names.iter().all(|name| is_held(&AccessRequest::Resource { verb, group, resource, name }))
            })
        });
        resources && texts("nonResourceURLs").iter().all(|path| is_held(&AccessRequest::Path { verb, path }))
    })
}

/// Formats a rule as kube-apiserver does: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
fn shown(rule: &Value) -> String {
    let fields = [
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("ResourceNames", "resourceNames"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("Verbs", "verbs"),
    ];
    let list = |field: &str| {
        let texts: Vec<String> = items(rule, field).map(ToString::to_string).collect();
        (!texts.is_empty()).then(|| format!("[{}]", texts.join(" ")))
    };
    let fields = fields.iter().filter_map(|(shown, field)| Some(format!("{shown}:{}", list(field)?)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}
