//! Planted faults of the API: calls that fail or hang.

use axum::http::Method;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;

use super::answer;
use super::path::Target;
use crate::faults::{Planted, What};
use crate::status::Status;

/// The planted answer to a call, if one strikes. A fault is of `VERB resource`, `VERB resource/subresource`,
/// or either with the object's name behind a space.
pub async fn strike(planted: &Planted, method: &Method, target: &Target) -> Option<Response> {
    let subresource = target.subresource.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
    let call = format!("{method} {}{subresource}", target.kind.plural);
    let named = format!("{call} {}", target.name.as_deref().unwrap_or_default());
    let is_api =
        |what: &What| matches!(what, What::ApiFails { .. } | What::ApiHangs | What::ApiRefuses { .. } | What::NodeDies);
    let what = planted.strike(&call, is_api).or_else(|| planted.strike(&named, is_api))?;
    let (code, message) = match what {
        What::ApiFails { code, message } => (code, message),
        What::NodeDies => die(&call),
        What::ApiRefuses { seconds } => {
            planted.refuse_for(seconds);
            return std::future::pending().await;
        }
        _ => return std::future::pending().await,
    };
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let message = if message.is_empty() { format!("planted: {call}") } else { message };
    let mut response = answer::status(&Status::new(code, reason, message));
    if code == 429 {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    Some(response)
}

/// Ends the node's process, and with it all that runs on the node.
fn die(call: &str) -> ! {
    tracing::error!("planted: the node's process ends at {call}");
    std::process::exit(1)
}
