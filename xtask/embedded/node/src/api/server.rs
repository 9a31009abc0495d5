//! The listener: TLS, HTTP/1.1 with upgrades, one task per connection.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::State;

/// Serves on `listener` until its task is dropped.
///
/// # Errors
/// If the listener or the certificate can't be used.
pub async fn serve(listener: std::net::TcpListener, state: State) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let tls = TlsAcceptor::from(Arc::new(state.identity.tls()?));
    loop {
        match listener.accept().await {
            // Dropped connections are closed at once: the listener itself can't be bound again in the
            // namespace that was left.
            Ok(_) if state.faults.refuses() => {}
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, tls.clone(), state.clone()));
            }
            // Out of descriptors, or the peer is gone: the next connection may succeed.
            Err(error) => {
                tracing::warn!(%error, "the API server cannot accept a connection");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, state: State) {
    // A watch sends small chunks, which must not be delayed.
    let _ = stream.set_nodelay(true);
    let stream = match tls.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "the TLS handshake failed"),
    };
    let faults = state.faults.clone();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(super::handle(state, request.map(Body::new)).await) }
    });
    // A client keeps its connection for the next call, however late that comes.
    let served = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let served = tokio::select! {
        served = served => served,
        () = faults.refusal() => return,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "the connection broke");
    }
}
