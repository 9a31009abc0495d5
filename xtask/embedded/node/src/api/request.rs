//! One request for objects, read completely: its target, its query, its body.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Uri};

use super::path::Target;
use crate::registry::Registry;
use crate::registry::custom::CustomVersion;
use crate::registry::user::User;
use crate::status::Status;

/// The limit of kube-apiserver.
pub(super) const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// A request for objects.
pub struct Request {
    /// Its caller.
    pub caller: User,
    /// The HTTP method.
    pub method: Method,
    /// What its path names.
    pub target: Target,
    /// The version of a custom resource that it is about.
    pub custom: Option<Arc<CustomVersion>>,
    /// Its query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, possibly empty.
    pub body: Bytes,
}

impl Request {
    /// Reads the whole request.
    pub async fn read(
        registry: &Registry,
        caller: User,
        target: Target,
        request: axum::extract::Request,
    ) -> Result<Self, Status> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
            let message = format!("Request entity too large: limit is {BODY_BYTES_MAX}");
            Status::new(413, "RequestEntityTooLarge", message)
        })?;
        let custom = registry.custom_version(target.kind);
        let query = query(&parts.uri)?;
        Ok(Self { caller, method: parts.method, target, custom, query, headers: parts.headers, body })
    }

    /// Returns a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether a parameter is set to true.
    pub fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| matches!(value, "true" | "1" | ""))
    }

    /// Returns the media type of the body without its parameters.
    pub fn content_type(&self) -> &str {
        let sent = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
        sent.split(';').next().unwrap_or_default().trim()
    }

    /// Returns the media types that the client accepts.
    pub fn accept(&self) -> &str {
        self.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Decodes the query of a URL.
pub fn query(uri: &Uri) -> Result<Vec<(String, String)>, Status> {
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
    query.map(|Query(pairs)| pairs).map_err(|e| Status::new(400, "BadRequest", e.to_string()))
}
