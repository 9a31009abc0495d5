//! Faults of names and services.

use std::convert::Infallible;

use axum::body::Body;
use embedded::faults::FaultKind;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::PlantedFaults;

impl PlantedFaults {
    /// Returns whether a name does not resolve.
    pub(crate) fn breaks_name(&self, name: &str) -> bool {
        self.strikes(name, &FaultKind::DnsFails)
    }

    /// Returns whether connections to a service without endpoints are going to be diverted.
    pub(crate) fn diverts_service(&self, service: &str) -> bool {
        self.next(service, |what| matches!(what, FaultKind::ServiceAstray { .. })).is_some()
    }

    /// Returns whether this connection to a service is diverted: see [`not_found`].
    pub(crate) fn diverts_connection(&self, service: &str, has_endpoint: bool) -> bool {
        let wanted = |what: &FaultKind| matches!(what, FaultKind::ServiceAstray { with_endpoints } if *with_endpoints || !has_endpoint);
        self.strike(service, wanted).is_some()
    }
}

/// Responds to every request of a connection with 404, as long as the connection is open.
pub(crate) async fn not_found(stream: TcpStream, _permit: OwnedSemaphorePermit) {
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
        tracing::debug!(%error, "a diverted connection broke");
    }
}
