//! `serviceaccounts/token`: a token for a service account.

use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer, body};
use crate::status::Status;

/// The default lifetime that a token states, in seconds.
const EXPIRATION_S: i64 = 3600;

/// Handles a request for a token.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    let name = target.name.as_deref().unwrap_or_default();
    let account = state.registry.store.get(target.kind, target.namespace(), name);
    account.ok_or_else(|| Status::not_found(target.kind, name))?;
    let sent: Value = body::document(request, "TokenRequest")?;
    let seconds = sent["spec"]["expirationSeconds"].as_i64().unwrap_or(EXPIRATION_S);
    let expires_at = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
    let token = json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": target.namespace(), "creationTimestamp": crate::registry::now()},
        "spec": sent["spec"],
        "status": {
            "token": state.registry.tokens.issue(target.namespace(), name, seconds),
            "expirationTimestamp": expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        },
    });
    Ok(answer::json(201, &token))
}
