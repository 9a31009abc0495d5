//! HTTP for probes and hooks: one GET, no check of certificates, Go's messages for failures.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::dial::{dial, host, port_number};

/// Sends the request and returns the status code.
pub(in crate::kubelet) async fn get(
    action: &HTTPGetAction,
    container: &Container,
    pod: Ipv4Addr,
    limit: Duration,
) -> Result<u16, String> {
    let port = port_number(&action.port, container).ok_or_else(|| format!("couldn't find port: {:?}", action.port))?;
    let host = host(action.host.as_deref(), pod);
    let scheme = action.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    let path = action.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let url = format!("{scheme}://{host}:{port}{path}");
    let exchange = async {
        let stream = dial(host, port, limit).await?;
        let request = request(action, &format!("{host}:{port}"), &path)?;
        let result = if scheme == "https" {
            let name = ServerName::from(host);
            let stream = tls()?.connect(name, stream).await.map_err(|error| error.to_string())?;
            crate::http::send(stream, request).await
        } else {
            crate::http::send(stream, request).await
        };
        result.map(|answer| answer.status().as_u16()).map_err(|error| broken(&error))
    };
    let late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    let result = tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(late.to_owned()));
    result.map_err(|why| format!("Get \"{url}\": {why}"))
}

fn request(action: &HTTPGetAction, host: &str, path: &str) -> Result<Request<Body>, String> {
    let own = action.http_headers.as_deref().unwrap_or_default();
    let has = |name: &str| own.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    let standard = [("Host", host), ("User-Agent", "kube-probe/1.36"), ("Accept", "*/*"), ("Connection", "close")];
    let mut request = Request::builder().uri(path);
    for (name, value) in standard.into_iter().filter(|(name, _)| !has(name)) {
        request = request.header(name, value);
    }
    for header in own {
        request = request.header(&header.name, &header.value);
    }
    request.body(Body::empty()).map_err(|error| error.to_string())
}

/// Returns Go's message for a connection that broke.
fn broken(error: &hyper::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    let root = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let reset = root.is_some_and(|root| root.kind() == std::io::ErrorKind::ConnectionReset);
    if reset {
        "read: connection reset by peer".to_owned()
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        "EOF".to_owned()
    } else {
        format!("net/http: {error}")
    }
}

fn tls() -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Accepts any certificate, as kubelet's probes do.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Probes a server that reads one request and sends this response, or never responds.
    async fn ask(answer: Option<&'static str>) -> (Result<u16, String>, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => std::future::pending().await,
            }
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let json = serde_json::json!({"path": "/i", "port": port, "httpHeaders": [{"name": "X", "value": "y"}]});
        let action: HTTPGetAction = serde_json::from_value(json).unwrap();
        let limit = Duration::from_millis(if answer.is_some() { 10_000 } else { 50 });
        let got = get(&action, &Container::default(), Ipv4Addr::LOCALHOST, limit).await;
        let got = got.map_err(|why| why.replace(&port.to_string(), "PORT"));
        let request = if answer.is_some() { served.await.unwrap() } else { String::new() };
        (got, request)
    }

    #[tokio::test]
    async fn a_probe_sends_a_request_and_reads_the_status_code() {
        let (got, request) = ask(Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(got, Ok(404));
        assert!(request.starts_with("GET /i HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("x: y\r\n"), "{request}");
    }

    #[tokio::test]
    async fn failures_are_reported_as_by_go() {
        let (late, _) = ask(None).await;
        let words = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
        assert_eq!(late, Err(format!("Get \"http://127.0.0.1:PORT/i\": {words}")));
        let (broken, _) = ask(Some("")).await;
        assert_eq!(broken, Err("Get \"http://127.0.0.1:PORT/i\": EOF".to_owned()));
    }
}
