//! Patches other than apply: JSON patch, merge patch, strategic merge patch.

pub(crate) mod strategic;

use serde_json::Value;

use crate::status::Status;

/// Applies a JSON patch (RFC 6902).
///
/// # Errors
/// 422 if the patch can't be applied, 400 if it is invalid.
pub fn json(object: &Value, patch: &Value) -> Result<Value, Status> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| Status::new(400, "BadRequest", format!("error decoding patch: {error}")))?;
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &patch).map_err(|_| Status {
        details: serde_json::json!({}),
        ..Status::new(422, "Invalid", "the server rejected our request due to an error in our request")
    })?;
    Ok(patched)
}

/// Returns 422: the patched object has fields that its kind does not have.
pub fn not_strict(patched: &Value, unknown: &[String]) -> Status {
    let cause = format!("Invalid value: {:?}: strict decoding error: {}", patched.to_string(), unknown.join(", "));
    let causes = serde_json::json!([{"reason": "FieldValueInvalid", "message": cause, "field": "patch"}]);
    let details = serde_json::json!({ "causes": causes });
    Status { details, ..Status::new(422, "Invalid", format!(" \"\" is invalid: patch: {cause}")) }
}

/// Returns 415: only built-in types have what a strategic merge patch needs to know.
pub fn no_strategic() -> Status {
    let accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, \
                    application/apply-patch+cbor";
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    Status::new(415, "UnsupportedMediaType", message)
}

/// Applies a merge patch (RFC 7386).
pub fn merge(object: &Value, patch: &Value) -> Value {
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    patched
}
