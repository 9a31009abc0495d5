//! A minimal HTTP client, for the in-cluster URLs in the environment of the other modes.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The timeout of a whole exchange.
const EXCHANGE_MAX: Duration = Duration::from_secs(3);

/// A response.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// The URL of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it speaks HTTP; otherwise it only accepts connections.
    http: bool,
    /// `host:port`.
    authority: String,
    /// Begins with a slash.
    path: String,
    /// The original text.
    text: String,
}

impl std::str::FromStr for Url {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| anyhow!("{text:?} is not a URL"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (http, port) = match scheme {
            "http" => (true, Some(80)),
            "tcp" => (false, None),
            other => bail!("{text:?}: unsupported scheme {other}; use http or tcp"),
        };
        let authority = match (authority.contains(':'), port) {
            (true, _) => authority.to_owned(),
            (false, Some(port)) => format!("{authority}:{port}"),
            (false, None) => bail!("{text:?} has no port"),
        };
        Ok(Self { http, authority, path: format!("/{path}"), text: text.to_owned() })
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Url {
    /// Returns the URL with this appended to its path.
    pub fn join(&self, path: &str) -> Self {
        let joined = format!("{}{path}", self.path.trim_end_matches('/'));
        Self { text: format!("http://{}{joined}", self.authority), path: joined, ..self.clone() }
    }

    /// Checks that something responds: with 2xx, or for `tcp` by accepting the connection.
    pub async fn answers(&self) -> Result<()> {
        if self.http {
            let answer = self.request("GET", "", None).await?;
            return if answer.status < 300 { Ok(()) } else { bail!("{self} returned {}", answer.status) };
        }
        let connection = tokio::time::timeout(EXCHANGE_MAX, TcpStream::connect(&self.authority)).await;
        connection.context("timed out").and_then(|c| c.context("refused")).with_context(|| self.to_string())?;
        Ok(())
    }

    /// Sends a request, with a bearer token if there is one, and reads the whole response.
    pub async fn request(&self, method: &str, body: &str, token: Option<&str>) -> Result<Answer> {
        let exchange = tokio::time::timeout(EXCHANGE_MAX, self.exchange(method, body, token)).await;
        let answer = exchange.map_err(|_| anyhow!("{method} {self}: no response within {EXCHANGE_MAX:?}"))?;
        let answer = answer.with_context(|| format!("{method} {self}"))?;
        parse(&answer).with_context(|| format!("{method} {self}: no HTTP response"))
    }

    /// Requests an endless response, and returns when it ends; calls `begun` when it has started. An error if
    /// it never did.
    pub async fn hold(&self, token: Option<&str>, begun: impl FnOnce()) -> Result<()> {
        let opened = tokio::time::timeout(EXCHANGE_MAX, async {
            let mut stream = self.send("GET", "", token).await?;
            let mut head = vec![0; 512];
            let read = stream.read(&mut head).await?;
            anyhow::Ok((stream, String::from_utf8_lossy(&head[..read]).into_owned()))
        });
        let opened = opened.await.map_err(|_| anyhow!("GET {self}: no response within {EXCHANGE_MAX:?}"))?;
        let (mut stream, head) = opened.with_context(|| format!("GET {self}"))?;
        let answer = parse(&head).with_context(|| format!("GET {self}: no HTTP response"))?;
        if answer.status != 200 {
            bail!("GET {self} returned {}: {}", answer.status, answer.body);
        }
        begun();
        // Everything that follows is part of it, even an abrupt end.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        Ok(())
    }

    async fn exchange(&self, method: &str, body: &str, token: Option<&str>) -> Result<String> {
        let mut stream = self.send(method, body, token).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn send(&self, method: &str, body: &str, token: Option<&str>) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let (host, path, length) = (&self.authority, &self.path, body.len());
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{authorization}");
        stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).await?;
        Ok(stream)
    }
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn urls_are_parsed() {
        let db = url("http://db.infra.svc:5432");
        assert_eq!((db.authority.as_str(), db.path.as_str()), ("db.infra.svc:5432", "/"));
        assert_eq!(db.join("/v1/records/x").to_string(), "http://db.infra.svc:5432/v1/records/x");
        assert_eq!(url("http://web/health").authority, "web:80");
        assert!(!url("tcp://kafka:9092").http);
    }

    #[test]
    fn other_urls_are_rejected() {
        let refused = |text: &str| text.parse::<Url>().unwrap_err().to_string();
        assert_eq!(refused("kafka:9092"), "\"kafka:9092\" is not a URL");
        assert_eq!(refused("https://x"), "\"https://x\": unsupported scheme https; use http or tcp");
        assert_eq!(refused("tcp://kafka"), "\"tcp://kafka\" has no port");
    }
}
