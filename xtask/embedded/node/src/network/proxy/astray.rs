//! A planted fault: a connection to a service reaches something else, which knows none of its requests.

use std::convert::Infallible;

use axum::body::Body;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use crate::faults::{Planted, What};

/// Whether a fault is going to take connections to a service that has no endpoint.
pub fn threatens(faults: &Planted, service: &str) -> bool {
    faults.threatens(service, |what| matches!(what, What::ServiceAstray { .. }))
}

/// Whether a fault takes this connection.
pub fn strikes(faults: &Planted, service: &str, has_endpoint: bool) -> bool {
    let wanted =
        |what: &What| matches!(what, What::ServiceAstray { with_endpoints } if *with_endpoints || !has_endpoint);
    faults.strike(service, wanted).is_some()
}

/// Answers every request of a connection with 404, for as long as it is kept.
pub async fn not_found(stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let service = service_fn(|_: hyper::Request<hyper::body::Incoming>| async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        Ok::<_, Infallible>(response)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection that went astray broke");
    }
}
