//! Values and errors as HTTP responses.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WARNING};
use axum::response::Response;
use serde_json::Value;

use crate::status::Status;

/// Returns a JSON response.
pub fn json(code: u16, value: &Value) -> Response {
    body(code, "application/json", value.to_string())
}

/// Returns a plain text response.
pub fn text(code: u16, text: &str) -> Response {
    body(code, "text/plain; charset=utf-8", text.to_owned())
}

/// Returns an error response.
pub fn status(status: &Status) -> Response {
    json(status.code, &status.to_json())
}

/// Returns an error response, with `Retry-After` if the error is "too many requests".
pub fn refused(refusal: &Status) -> Response {
    let mut response = status(refusal);
    if refusal.code == 429 {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// Adds a warning to a response, which clients show to their users.
pub fn warn(response: &mut Response, warning: &str) {
    let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
    if let Ok(value) = format!("299 - \"{escaped}\"").parse() {
        response.headers_mut().append(WARNING, value);
    }
}

/// Returns a response with a body of this media type.
pub fn body(code: u16, media_type: &str, content: impl Into<Body>) -> Response {
    let answer = Response::builder().status(code).header(CONTENT_TYPE, media_type).body(content.into());
    answer.unwrap_or_else(|_| Response::default())
}
