//! Users, as authentication finds them and authorization judges them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The group whose members may do everything.
const MASTERS: &str = "system:masters";

/// An authenticated user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// `system:serviceaccount:default:app`.
    pub name: String,
    /// The UID of a service account, otherwise empty.
    pub uid: String,
    /// The groups, `system:authenticated` among them.
    pub groups: Vec<String>,
    /// What else authentication knows, for example the pod that a token is bound to.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// Returns the kubeconfig's user, who may do everything.
    pub fn admin() -> Self {
        let groups = [MASTERS, "system:authenticated"].map(str::to_owned);
        Self { name: "chartproof".to_owned(), groups: groups.into(), ..Self::default() }
    }

    /// Returns the user of a service account.
    pub fn of_account(namespace: &str, name: &str) -> Self {
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ];
        Self { name: format!("system:serviceaccount:{namespace}:{name}"), groups: groups.into(), ..Self::default() }
    }

    /// Returns whether the user may do everything, whatever the roles say.
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    /// Returns the user as reviews show it.
    pub fn to_json(&self) -> Value {
        let mut user = json!({"username": self.name, "groups": self.groups});
        if !self.uid.is_empty() {
            user["uid"] = self.uid.as_str().into();
        }
        if !self.extra.is_empty() {
            user["extra"] = json!(self.extra);
        }
        user
    }
}
