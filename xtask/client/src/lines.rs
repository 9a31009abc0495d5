//! Lines over TCP: what is sent at once, and a response of whole lines.

use std::pin::Pin;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::request::Request;
use crate::response::{BYTES_MAX, Response};

/// Both directions of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// A connection for lines.
pub struct Lines(Box<dyn Stream>);

impl Lines {
    /// Returns a connection over a stream.
    pub fn over(stream: impl Stream) -> Self {
        Self(Box::new(stream))
    }

    /// Returns whether nothing arrived since the last response, so that the next one can't be mixed up with it.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.0).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Sends text, and reads until the response is complete.
    pub async fn exchange(&mut self, text: &str, request: &Request) -> Result<Response, String> {
        self.0.write_all(text.as_bytes()).await.map_err(|error| error.to_string())?;
        self.0.flush().await.map_err(|error| error.to_string())?;
        let mut received = BytesMut::new();
        loop {
            let count = self.0.read_buf(&mut received).await.map_err(|error| error.to_string())?;
            let so_far = String::from_utf8_lossy(&received);
            if count == 0 {
                return Err(format!("the connection was closed after {:?}", crate::value::beginning(&so_far)));
            }
            if request.is_complete(&so_far) {
                return Ok(Response { output: Bytes::from(received), ..Response::default() });
            }
            if received.len() > BYTES_MAX {
                return Err(format!("the response has more than {BYTES_MAX} bytes"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn get() -> Request {
        let request = r#"tcp = { send = "GET k\r\n", expect = '^\+.*$', error = '^-' }"#;
        toml::from_str(request).unwrap()
    }

    #[tokio::test]
    async fn a_response_may_arrive_in_parts_and_after_a_banner() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut lines = Lines::over(ours);
        let server = tokio::spawn(async move {
            theirs.write_all(b"hello\r\n").await.unwrap();
            let mut sent = [0; 7];
            theirs.read_exact(&mut sent).await.unwrap();
            for part in ["+va", "lue\r", "\n"] {
                theirs.write_all(part.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            (sent, theirs)
        });
        let response = lines.exchange("GET k\r\n", &get()).await.unwrap();
        assert_eq!(response.text(), "hello\r\n+value");
        let (sent, mut theirs) = server.await.unwrap();
        assert_eq!(&sent, b"GET k\r\n");
        assert!(lines.is_quiet());
        theirs.write_all(b"+late\r\n").await.unwrap();
        assert!(!lines.is_quiet(), "it would be taken for the next response");
    }

    #[tokio::test]
    async fn a_connection_that_ends_early_is_reported_with_what_arrived() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"+val").await.unwrap();
        drop(theirs);
        let error = Lines::over(ours).exchange("", &get()).await.unwrap_err();
        assert_eq!(error, "the connection was closed after \"+val\"");
    }

    #[tokio::test]
    async fn a_response_without_an_end_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let server = tokio::spawn(async move { while theirs.write_all(&[b'x'; 1 << 13]).await.is_ok() {} });
        let error = Lines::over(ours).exchange("", &get()).await.unwrap_err();
        assert_eq!(error, format!("the response has more than {BYTES_MAX} bytes"));
        server.await.unwrap();
    }
}
