//! Lists: selectors, pages, resource versions.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::request::Request;
use super::selector::Selection;
use super::shape::Representation;
use super::{State, answer, body};
use crate::status::Status;
use crate::store;

/// Handles a list request.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    let selection = Selection::requested(request, request.parameter("fieldSelector"))?;
    let (mut objects, resource_version) = state.registry.store.list(target.kind.stored(), target.namespace.as_deref());
    if let Some(token) = request.parameter("continue").filter(|token| !token.is_empty()) {
        let start = resume(token)?;
        objects.retain(|object| store::key(object) > start);
    }
    let mut list = json!({"resourceVersion": resource_version.to_string()});
    let mut selected: Vec<Arc<Value>> = objects.into_iter().filter(|object| selection.matches(object)).collect();
    let limit: usize = request.parameter("limit").and_then(|text| text.parse().ok()).unwrap_or(0);
    if limit > 0 && selected.len() > limit {
        if selection.is_empty() {
            list["remainingItemCount"] = (selected.len() - limit).into();
        }
        selected.truncate(limit);
        if let Some(last) = selected.last() {
            list["continue"] = token(last, resource_version).into();
        }
    }
    let listed = Representation::requested(request).list(target.kind, selected.iter().map(AsRef::as_ref), &list);
    Ok(answer::json(200, &listed))
}

/// Returns the token of the next page. The page is read from the current state: there are no old versions here.
fn token(last: &Value, resource_version: u64) -> String {
    let (namespace, name) = store::key(last);
    let token = json!({"v": "meta.k8s.io/v1", "rv": resource_version, "start": format!("{namespace}/{name}\0")});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn resume(token: &str) -> Result<(String, String), Status> {
    let refuse = |why: String| body::bad(format!("invalid continue token: continue key is not valid: {why}"));
    // Go's decoder accepts a token whose last bits are not zero.
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let bytes = lenient.decode(token).map_err(|_| refuse("illegal base64 data at input byte 0".to_owned()))?;
    let parsed: Value = serde_json::from_slice(&bytes).map_err(|_| {
        let first = bytes.first().copied().map_or('\0', char::from);
        refuse(format!("invalid character '{first}' looking for beginning of value"))
    })?;
    let start = parsed["start"].as_str().unwrap_or_default().trim_end_matches('\0');
    let (namespace, name) = start.split_once('/').ok_or_else(|| refuse("the start is not set".to_owned()))?;
    Ok((namespace.to_owned(), name.to_owned()))
}
