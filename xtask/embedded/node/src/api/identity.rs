//! The server's certificate, the token that it accepts, and the kubeconfig that contains both.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::registry::Registry;
use crate::registry::user::User;
use anyhow::Context;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The names in the certificate.
const NAMES: &[&str] = &[
    "127.0.0.1",
    "10.96.0.1",
    "10.244.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Certificate authority, server certificate and token of one cluster.
pub struct Identity {
    ca_pem: String,
    certificate: CertificateDer<'static>,
    key_der: Vec<u8>,
    token: String,
}

impl Identity {
    /// Generates a new identity.
    ///
    /// # Errors
    /// If a key can't be generated.
    pub fn generate() -> anyhow::Result<Self> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        ca.distinguished_name.push(DnType::CommonName, "chartproof-ca");
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let key = KeyPair::generate()?;
        let names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key))?.der().clone();
        let token = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self { ca_pem, certificate, key_der: key.serialize_der(), token })
    }

    /// Returns the certificate authority, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Returns the bearer token of the one user.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns whose token a request carries, if it is valid.
    pub(super) fn caller(&self, registry: &Registry, headers: &HeaderMap) -> Option<User> {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent.and_then(|value| value.strip_prefix("Bearer "))?;
        self.authenticate(registry, token, &[]).map(|(user, _)| user).ok()
    }

    /// Returns whose token this is, and those of the audiences for which it is valid; no audiences mean the API server.
    pub(super) fn authenticate(
        &self,
        registry: &Registry,
        token: &str,
        audiences: &[String],
    ) -> Result<(User, Vec<String>), String> {
        if token == self.token {
            return Ok((User::admin(), audiences.to_vec()));
        }
        registry.authenticate(token, audiences)
    }

    /// Returns the TLS configuration of the listener.
    pub(super) fn tls(&self) -> anyhow::Result<rustls::ServerConfig> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_der.clone()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)?;
        Ok(config)
    }

    /// Returns a kubeconfig for this server, with the single context `chartproof`.
    pub(crate) fn kubeconfig(&self, address: SocketAddr) -> String {
        let ca = STANDARD.encode(&self.ca_pem);
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: chartproof\n\
             clusters:\n- name: chartproof\n  cluster:\n    server: https://{address}\n    \
             certificate-authority-data: {ca}\n\
             contexts:\n- name: chartproof\n  context:\n    cluster: chartproof\n    user: chartproof\n\
             users:\n- name: chartproof\n  user:\n    token: {}\n",
            self.token
        )
    }

    /// Writes the kubeconfig, readable only by its owner.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_kubeconfig(&self, address: SocketAddr, path: &Path) -> anyhow::Result<()> {
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600).open(path);
        let mut file = file.with_context(|| format!("cannot write the kubeconfig {}", path.display()))?;
        std::io::Write::write_all(&mut file, self.kubeconfig(address).as_bytes())?;
        Ok(())
    }
}
