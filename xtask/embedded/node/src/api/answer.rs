//! Values and refusals as HTTP answers.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::Response;
use serde_json::Value;

use crate::status::Status;

/// A JSON document.
pub fn json(code: u16, value: &Value) -> Response {
    body(code, "application/json", value.to_string())
}

/// Plain text.
pub fn text(code: u16, text: &str) -> Response {
    body(code, "text/plain; charset=utf-8", text.to_owned())
}

/// A refusal.
pub fn status(status: &Status) -> Response {
    json(status.code, &status.to_json())
}

/// A refusal that says when to come again, if it is for too many requests.
pub fn refused(refusal: &Status) -> Response {
    let mut response = status(refusal);
    if refusal.code == 429 {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// A body of a media type.
pub fn body(code: u16, media_type: &str, content: impl Into<Body>) -> Response {
    let answer = Response::builder().status(code).header(CONTENT_TYPE, media_type).body(content.into());
    answer.unwrap_or_else(|_| Response::default())
}
