//! Tokens of service accounts: those mounted into pods, and those that are requested.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use serde_json::json;

/// A service account: namespace and name.
pub type Account = (String, String);

/// All issued tokens.
#[derive(Default)]
pub struct Tokens {
    issued: Mutex<HashMap<String, Account>>,
}

impl Tokens {
    /// Issues a token. It looks like a JSON web token and names its account, but it is valid only because it
    /// was issued here.
    pub fn issue(&self, namespace: &str, account: &str, expiration_s: i64) -> String {
        let now = Utc::now().timestamp();
        let claims = json!({
            "iss": "https://kubernetes.default.svc.cluster.local",
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
            "iat": now, "exp": now.saturating_add(expiration_s),
        });
        let id = uuid::Uuid::new_v4().simple().to_string();
        let parts = [r#"{"alg":"none"}"#.to_owned(), claims.to_string(), id];
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let owner = (namespace.to_owned(), account.to_owned());
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), owner);
        token
    }

    /// Returns whose token this is.
    pub fn account(&self, token: &str) -> Option<Account> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}
