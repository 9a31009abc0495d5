//! Tokens of service accounts: those mounted into pods, and those that are requested.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Registry;
use super::user::User;
use super::value::text;
use crate::kinds;

/// The issuer of all tokens, and the audience of those that the API server itself accepts.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Why a token is not accepted.
const INVALID: &str = "invalid bearer token";

/// A service account: namespace and name.
pub type Account<'a> = (&'a str, &'a str);

/// What is requested of a token.
#[derive(Debug, Clone, Default)]
pub struct TokenSpec {
    /// Who may accept it; if empty, the API server.
    pub audiences: Vec<String>,
    /// How long it is valid, in seconds.
    pub expiration_s: i64,
    /// Plural, name and UID of the object without which it is invalid: a pod, a secret or a node.
    pub bound: Option<(&'static str, String, String)>,
    /// Whether the node mounts it. The node does not renew tokens, so such a token is valid as long as its pod.
    pub is_mounted: bool,
}

/// All issued tokens.
#[derive(Default)]
pub struct Tokens {
    issued: Mutex<HashMap<String, Issued>>,
}

struct Issued {
    account: (String, String),
    uid: String,
    spec: TokenSpec,
    expires_at: DateTime<Utc>,
    id: String,
}

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Issues a token. It looks like a JSON web token and names its account, but it is valid only because it was issued
    /// here.
    pub fn issue_token(&self, (namespace, account): Account, mut spec: TokenSpec) -> String {
        if spec.audiences.is_empty() {
            spec.audiences = vec![ISSUER.to_owned()];
        }
        let stored = kinds::find("", "v1", "serviceaccounts").and_then(|kind| self.store.get(kind, namespace, account));
        let uid = stored.map(|account| text(&account["metadata"], "uid").to_owned()).unwrap_or_default();
        let id = uuid::Uuid::new_v4().to_string();
        let issued_at = Utc::now();
        let expires_at = issued_at + TimeDelta::try_seconds(spec.expiration_s).unwrap_or_default();
        let mut about = json!({"namespace": namespace, "serviceaccount": {"name": account, "uid": uid}});
        if let Some((plural, name, uid)) = &spec.bound {
            about[plural.trim_end_matches('s')] = json!({"name": name, "uid": uid});
        }
        let claims = json!({
            "aud": spec.audiences, "exp": expires_at.timestamp(), "iat": issued_at.timestamp(), "iss": ISSUER,
            "jti": id, "kubernetes.io": about, "nbf": issued_at.timestamp(),
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
        });
        let parts = [r#"{"alg":"none"}"#.to_owned(), claims.to_string(), id.clone()];
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let issued = Issued { account: (namespace.to_owned(), account.to_owned()), uid, spec, expires_at, id };
        self.tokens.lock().insert(token.clone(), issued);
        token
    }

    /// Returns whose token this is, and those of the audiences for which it is valid; no audiences mean the API server.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn authenticate(&self, token: &str, audiences: &[String]) -> Result<(User, Vec<String>), String> {
        let tokens = self.tokens.lock();
        let issued = tokens.get(token).ok_or(INVALID)?;
        if !issued.spec.is_mounted && issued.expires_at <= Utc::now() {
            return Err(format!("[{INVALID}, service account token has expired]"));
        }
        let api = [ISSUER.to_owned()];
        let wanted = if audiences.is_empty() { &api[..] } else { audiences };
        let valid: Vec<String> = wanted.iter().filter(|one| issued.spec.audiences.contains(one)).cloned().collect();
        if valid.is_empty() {
            let (has, wants) = (shown(&issued.spec.audiences), shown(wanted));
            return Err(format!("[{INVALID}, token audiences {has} is invalid for the target audiences {wants}]"));
        }
        let (namespace, name) = (issued.account.0.as_str(), issued.account.1.as_str());
        self.is_same("serviceaccounts", (namespace, name), &issued.uid)
            .then_some(())
            .ok_or_else(|| format!("[{INVALID}, service account {namespace}/{name} has been deleted]"))?;
        let mut user = User { uid: issued.uid.clone(), ..User::of_account(namespace, name) };
        let extra = |key: &str| format!("authentication.kubernetes.io/{key}");
        user.extra.insert(extra("credential-id"), vec![format!("JTI={}", issued.id)]);
        if let Some((plural, object, uid)) = &issued.spec.bound {
            let place = (if *plural == "nodes" { "" } else { namespace }, object.as_str());
            if !self.is_same(plural, place, uid) {
                return Err(format!("[{INVALID}, service account token has been invalidated]"));
            }
            let sort = plural.trim_end_matches('s');
            user.extra.insert(extra(&format!("{sort}-name")), vec![object.clone()]);
            user.extra.insert(extra(&format!("{sort}-uid")), vec![uid.clone()]);
        }
        Ok((user, valid))
    }

    /// Returns whether an object still exists and is still the same one.
    fn is_same(&self, plural: &str, (namespace, name): (&str, &str), uid: &str) -> bool {
        let stored = kinds::find("", "v1", plural).and_then(|kind| self.store.get(kind, namespace, name));
        stored.is_some_and(|object: std::sync::Arc<Value>| object["metadata"]["uid"] == *uid)
    }
}

fn shown(audiences: &[String]) -> String {
    let quoted: Vec<String> = audiences.iter().map(|one| format!("\"{one}\"")).collect();
    format!("[{}]", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(pods: &[&str]) -> std::sync::Arc<Registry> {
        let registry = Registry::new();
        for (plural, name) in pods.iter().map(|name| ("pods", *name)).chain([("serviceaccounts", "app")]) {
            let kind = kinds::find("", "v1", plural).unwrap();
            let metadata = json!({"namespace": "a", "name": name, "uid": format!("uid-{name}")});
            registry.store.insert(kind, json!({ "metadata": metadata })).unwrap();
        }
        registry
    }

    fn accepts(registry: &Registry, token: &str, audiences: &[&str]) -> bool {
        let audiences: Vec<String> = audiences.iter().map(ToString::to_string).collect();
        registry.authenticate(token, &audiences).is_ok()
    }

    #[test]
    fn a_token_is_valid_for_its_audiences() {
        let registry = registry(&[]);
        let spec =
            TokenSpec { audiences: vec!["vault".into(), "other".into()], expiration_s: 600, ..TokenSpec::default() };
        let token = registry.issue_token(("a", "app"), spec);
        let (user, valid) = registry.authenticate(&token, &["vault".into(), "third".into()]).unwrap();
        assert_eq!((user.name.as_str(), valid), ("system:serviceaccount:a:app", vec!["vault".to_owned()]));
        assert!(!accepts(&registry, &token, &[]) && !accepts(&registry, &token, &["third"]));
        let plain = registry.issue_token(("a", "app"), TokenSpec { expiration_s: 600, ..TokenSpec::default() });
        assert!(accepts(&registry, &plain, &[]) && !accepts(&registry, &plain, &["vault"]));
    }

    #[test]
    fn a_token_ends_with_its_time_its_account_and_its_object() {
        let registry = registry(&["p"]);
        let expired = TokenSpec { expiration_s: -1, ..TokenSpec::default() };
        assert!(!accepts(&registry, &registry.issue_token(("a", "app"), expired.clone()), &[]));
        let mounted = TokenSpec { is_mounted: true, ..expired };
        assert!(accepts(&registry, &registry.issue_token(("a", "app"), mounted), &[]));
        let bound = Some(("pods", "p".to_owned(), "uid-p".to_owned()));
        let token = registry.issue_token(("a", "app"), TokenSpec { expiration_s: 600, bound, ..TokenSpec::default() });
        let (user, _) = registry.authenticate(&token, &[]).unwrap();
        assert_eq!(user.extra["authentication.kubernetes.io/pod-name"], ["p"]);
        let remove = |plural: &str, name: &str| {
            let kind = kinds::find("", "v1", plural).unwrap();
            let object = registry.store.get(kind, "a", name).unwrap();
            registry.store.remove(kind, &object).unwrap();
        };
        let of_account = registry.issue_token(("a", "app"), TokenSpec { expiration_s: 600, ..TokenSpec::default() });
        remove("pods", "p");
        assert!(!accepts(&registry, &token, &[]) && accepts(&registry, &of_account, &[]));
        remove("serviceaccounts", "app");
        assert!(!accepts(&registry, &of_account, &[]));
    }
}
