//! HTTP over one connection.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::lines::Stream;
use crate::request::HttpRequest;
use crate::response::{BYTES_MAX, Response};
use crate::template::Fill;

/// Sends requests over one connection.
pub type Sender = SendRequest<Full<Bytes>>;

/// Begins HTTP over a stream.
///
/// # Errors
/// If the stream is already closed.
pub async fn over(stream: impl Stream) -> Result<Sender, String> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends a request and reads the complete response.
///
/// # Errors
/// If the connection ends before that.
pub async fn exchange(sender: &mut Sender, request: hyper::Request<Full<Bytes>>) -> Result<Response, String> {
    let response = sender.send_request(request).await.map_err(|error| chain(&error))?;
    let status = Some(response.status().as_u16());
    let body =
        Limited::new(response.into_body(), BYTES_MAX).collect().await.map_err(|error| match error.downcast() {
            Ok(error) => chain::<hyper::Error>(&error),
            Err(error) => error.to_string(),
        })?;
    Ok(Response { status, output: body.to_bytes(), stderr: String::new() })
}

/// Returns a request with its placeholders replaced.
///
/// # Errors
/// If it is not valid HTTP.
pub fn build(request: &HttpRequest, fill: Fill<'_>) -> Result<hyper::Request<Full<Bytes>>, String> {
    let body = request.body.as_ref().map(|body| body.fill(fill)).unwrap_or_default();
    let builder = hyper::Request::builder().method(request.method.as_str()).uri(request.path.fill(fill));
    let builder = builder.header("host", "chartproof").header("content-type", "application/json");
    let add = |builder: hyper::http::request::Builder, (name, value): (&String, &crate::template::Template)| {
        builder.header(name, value.fill(fill))
    };
    let builder = request.headers.iter().fold(builder, add);
    builder.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())
}

fn chain<E: std::error::Error>(error: &E) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}
