//! How an application is reached: its ports, TLS, and the time limits of requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::request::{Protocol, Request};
use crate::template::{SecretKey, Template};

/// How an application is reached.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Its port for HTTP, if it has one.
    pub http: Option<Port>,
    /// Its port for lines over TCP, if it has one.
    pub tcp: Option<Port>,
    /// The time limit of a command, in milliseconds.
    pub exec_timeout_ms: u64,
    /// For HTTP over TLS: how the server is verified.
    pub tls: Option<Tls>,
}

/// A port of the application.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// The time limit of a request, in milliseconds.
    pub timeout_ms: u64,
}

/// How a server's certificate is verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tls {
    /// The certificate that signed the server's, as PEM; without it nothing is verified.
    pub ca: Option<Template>,
    /// The name in the server's certificate.
    pub server_name: String,
}

impl Reach {
    /// Returns the time limit of a request.
    pub fn timeout(&self, request: &Request) -> Duration {
        let ms = match request.protocol() {
            Some(protocol) => self.port(protocol).map_or(0, |port| port.timeout_ms),
            None => self.exec_timeout_ms,
        };
        Duration::from_millis(ms)
    }

    /// Returns the port for a protocol.
    pub fn port(&self, protocol: Protocol) -> Option<Port> {
        match protocol {
            Protocol::Http => self.http,
            Protocol::Tcp => self.tcp,
        }
    }

    /// Returns the same with another number for the ports, as a Service may have.
    #[must_use]
    pub fn through(&self, number: u16) -> Self {
        let through = |port: Option<Port>| port.map(|port| Port { number, ..port });
        Self { http: through(self.http), tcp: through(self.tcp), ..self.clone() }
    }

    /// Returns the keys of Secrets that connections need.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretKey> {
        self.tls.iter().filter_map(|tls| tls.ca.as_ref()).flat_map(Template::secrets)
    }
}
