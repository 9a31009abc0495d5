//! `serviceaccounts/token`: a token for a service account.

use std::sync::Arc;

use axum::response::Response;
use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer, body};
use crate::kinds::{self, Kind};
use crate::registry::tokens::{ISSUER, TokenSpec};
use crate::registry::value::text;
use crate::status::Status;

/// The lifetime of a token that asks for none, in seconds; and the limits of kube-apiserver.
const EXPIRATION_S: i64 = 3600;
const EXPIRATION_MIN_S: i64 = 600;
const EXPIRATION_MAX_S: i64 = 1 << 32;

/// Handles a request for a token.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    let name = target.name.as_deref().unwrap_or_default();
    let account = state.registry.store.get(target.kind, target.namespace(), name);
    account.ok_or_else(|| Status::not_found(target.kind, name))?;
    let sent: Value = body::document(request, "TokenRequest")?;
    let expiration_s = sent["spec"]["expirationSeconds"].as_i64().unwrap_or(EXPIRATION_S);
    check_expiration(expiration_s)?;
    let audiences: Vec<String> = serde_json::from_value(sent["spec"]["audiences"].clone()).unwrap_or_default();
    let audiences = if audiences.is_empty() { vec![ISSUER.to_owned()] } else { audiences };
    let bound = bound(state, request, &sent["spec"]["boundObjectRef"])?;
    let mut spec = json!({"audiences": audiences, "expirationSeconds": expiration_s});
    spec["boundObjectRef"] = sent["spec"]["boundObjectRef"].clone();
    let token_spec = TokenSpec { audiences, expiration_s, bound, is_mounted: false };
    let expires_at = Utc::now() + TimeDelta::seconds(expiration_s);
    let token = json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": target.namespace(), "creationTimestamp": crate::registry::now()},
        "spec": spec,
        "status": {
            "token": state.registry.issue_token((target.namespace(), name), token_spec),
            "expirationTimestamp": expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        },
    });
    Ok(answer::json(201, &token))
}

fn check_expiration(seconds: i64) -> Result<(), Status> {
    let why = match seconds {
        ..EXPIRATION_MIN_S => "may not specify a duration less than 10 minutes",
        EXPIRATION_MIN_S..=EXPIRATION_MAX_S => return Ok(()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let message = format!("Invalid value: {seconds}: {why}");
    let causes = json!([{"reason": "FieldValueInvalid", "message": message, "field": "spec.expirationSeconds"}]);
    let details = json!({"group": "authentication.k8s.io", "kind": "TokenRequest", "causes": causes});
    let message = format!("TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: {message}");
    Err(Status { details, ..Status::new(422, "Invalid", message) })
}

/// Returns the object that the token is to be bound to: a pod of the account, a secret or a node.
fn bound(
    state: &State,
    request: &Request,
    reference: &Value,
) -> Result<Option<(&'static str, String, String)>, Status> {
    if reference.is_null() {
        return Ok(None);
    }
    let (kind, name) = (text(reference, "kind"), text(reference, "name"));
    let plural = match (kind, text(reference, "apiVersion")) {
        ("Pod", "v1") => "pods",
        ("Secret", "v1") => "secrets",
        ("Node", "v1") => "nodes",
        _ => return Err(body::bad(format!("cannot bind token for serviceaccount to object of kind {kind:?}"))),
    };
    let Some(kind) = kinds::find("", "v1", plural) else { return Ok(None) };
    let stored = stored(state, request, kind, name)?;
    let account = request.target.name.as_deref().unwrap_or_default();
    if plural == "pods" && text(&stored["spec"], "serviceAccountName") != account {
        let why = "to pod running with different serviceaccount name.";
        return Err(body::bad(format!("cannot bind token for serviceaccount {account:?} {why}")));
    }
    let (sent, uid) = (text(reference, "uid"), text(&stored["metadata"], "uid"));
    if !sent.is_empty() && sent != uid {
        let why = format!(
            "the UID in the bound object reference ({sent}) does not match the UID in record. The object might have \
             been deleted and then recreated"
        );
        return Err(Status::conflict(kind, name, &why));
    }
    Ok(Some((plural, name.to_owned(), uid.to_owned())))
}

fn stored(state: &State, request: &Request, kind: &'static Kind, name: &str) -> Result<Arc<Value>, Status> {
    let namespace = if kind.namespaced { request.target.namespace() } else { "" };
    state.registry.store.get(kind, namespace, name).ok_or_else(|| Status::not_found(kind, name))
}
