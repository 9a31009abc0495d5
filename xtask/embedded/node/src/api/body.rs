//! Request bodies to objects: JSON, YAML and protobuf, checked against their kind.

use serde_json::Value;

use super::request::Request;
use super::{State, protobuf};
use crate::registry::UnknownFields;
use crate::registry::decode::Decoded;
use crate::status::Status;

/// An object of a request, with warnings for the client.
pub struct Body {
    /// The object.
    pub object: Value,
    /// `unknown field "spec.x"` …
    pub warnings: Vec<String>,
}

/// Returns the object of a request to create or replace.
pub fn object(state: &State, request: &Request) -> Result<Body, Status> {
    let document = document(request, request.target.kind.kind)?;
    let mut body = typed(state, request, document)?;
    place(request, &mut body.object)?;
    Ok(body)
}

/// Parses a body in any supported format.
pub fn document(request: &Request, wanted: &str) -> Result<Value, Status> {
    let unrecognized = |why: String| {
        let shown: String = String::from_utf8_lossy(&request.body).chars().take(30).collect();
        bad(format!("the object provided is unrecognized (must be of type {wanted}): {why} ({shown})"))
    };
    match request.content_type() {
        "application/json" => serde_json::from_slice(&request.body)
            .map_err(|error| unrecognized(format!("couldn't get version/kind; json parse error: {}", go_json(&error)))),
        "application/yaml" => yaml(&request.body),
        protobuf::MEDIA_TYPE => protobuf::read(&request.body).map_err(unrecognized),
        _ => Err(unsupported("application/json, application/yaml, application/vnd.kubernetes.protobuf")),
    }
}

/// Parses a YAML (or JSON) body.
pub fn yaml(body: &[u8]) -> Result<Value, Status> {
    if let Ok(document) = serde_json::from_slice(body) {
        return Ok(document);
    }
    let text = String::from_utf8_lossy(body);
    serde_saphyr::from_str(&text).map_err(|error| bad(format!("error decoding YAML: {error}")))
}

/// Returns 415 with the accepted media types.
pub fn unsupported(accepted: &str) -> Status {
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    Status::new(415, "UnsupportedMediaType", message)
}

/// Returns 400.
pub fn bad(message: impl Into<String>) -> Status {
    Status::new(400, "BadRequest", message)
}

/// Decodes a document as its kind's type; unknown fields are rejected, reported as warnings or ignored.
pub fn typed(state: &State, request: &Request, document: Value) -> Result<Body, Status> {
    let kind = request.target.kind;
    let sent_kind = document["kind"].as_str().filter(|sent| !sent.is_empty()).unwrap_or(kind.kind).to_owned();
    let sent_version = document["apiVersion"].as_str().unwrap_or_default();
    let version = sent_version.rsplit('/').next().filter(|v| !v.is_empty()).unwrap_or(kind.version).to_owned();
    let refuse =
        |why: String| bad(format!("{sent_kind} in version \"{version}\" cannot be handled as a {}: {why}", kind.kind));
    if sent_kind != kind.kind {
        let internal = if kind.group.is_empty() { "core" } else { kind.group.split('.').next().unwrap_or_default() };
        let why = format!("converting (v1.{sent_kind}) to ({internal}.{}): unknown conversion", kind.kind);
        return Err(refuse(why));
    }
    if !sent_version.is_empty() && sent_version != kind.api_version() {
        let message = format!(
            "the API version in the data ({sent_version}) does not match the expected API version ({})",
            kind.api_version()
        );
        return Err(bad(message));
    }
    let Decoded { object, unknown } = state.registry.decode(kind, document).map_err(&refuse)?;
    let warnings = match unknown_fields(request) {
        UnknownFields::Refused if !unknown.is_empty() => {
            return Err(refuse(format!("strict decoding error: {}", unknown.join(", "))));
        }
        UnknownFields::Warned => unknown,
        UnknownFields::Ignored | UnknownFields::Refused => Vec::new(),
    };
    Ok(Body { object, warnings })
}

/// Returns what a request wants to become of unknown fields.
pub fn unknown_fields(request: &Request) -> UnknownFields {
    match request.parameter("fieldValidation") {
        Some("Strict") => UnknownFields::Refused,
        Some("Ignore") => UnknownFields::Ignored,
        _ => UnknownFields::Warned,
    }
}

/// Fills in the namespace and the name of the URL, or rejects an object that has others.
fn place(request: &Request, object: &mut Value) -> Result<(), Status> {
    let target = &request.target;
    let sent = object["metadata"]["namespace"].as_str().unwrap_or_default();
    match &target.namespace {
        Some(namespace) if sent.is_empty() => object["metadata"]["namespace"] = namespace.as_str().into(),
        Some(namespace) if sent != namespace => {
            return Err(bad("the namespace of the provided object does not match the namespace sent on the request"));
        }
        _ => {}
    }
    let sent = object["metadata"]["name"].as_str().unwrap_or_default();
    match &target.name {
        Some(name) if sent.is_empty() => object["metadata"]["name"] = name.as_str().into(),
        Some(name) if sent != name => {
            let message = format!("the name of the object ({sent}) does not match the name on the URL ({name})");
            return Err(bad(message));
        }
        _ => {}
    }
    Ok(())
}

/// Returns Go's words for an error of serde.
fn go_json(error: &serde_json::Error) -> String {
    if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
}
