//! Tests of whom TLS trusts.

use std::net::SocketAddr;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::template::Template;

/// A CA and a server whose certificate it signed for the name `web`.
struct Served {
    ca: String,
    address: SocketAddr,
}

async fn serve() -> Served {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["web".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            // A client that does not trust the server ends the handshake.
            drop(acceptor.accept(listener.accept().await.unwrap().0).await);
        }
    });
    Served { ca: ca.pem(), address }
}

async fn connect(served: &Served, ca: Option<&str>, server_name: &str) -> Result<(), String> {
    let ca = ca.map(|text| Template::try_from(text.to_owned()).unwrap());
    let mut secrets = Secrets::default();
    ca.iter().flat_map(Template::secrets).for_each(|key| secrets.insert(key, served.ca.clone()));
    let tls = Tls { ca, server_name: server_name.to_owned() };
    tls.connect(TcpStream::connect(served.address).await.unwrap(), &secrets).await.map(drop)
}

#[tokio::test]
async fn a_server_is_trusted_if_the_ca_signed_its_name() {
    let (served, other) = (serve().await, serve().await);
    connect(&served, Some(&served.ca), "web").await.unwrap();
    connect(&served, Some("${secret:tls/ca.crt}"), "web").await.unwrap();
    connect(&served, None, "anything").await.unwrap();
    let stranger = connect(&served, Some(&other.ca), "web").await.unwrap_err();
    assert!(stranger.starts_with("TLS with web: invalid peer certificate"), "{stranger}");
    let misnamed = connect(&served, Some(&served.ca), "db").await.unwrap_err();
    assert!(misnamed.starts_with("TLS with db: invalid peer certificate"), "{misnamed}");
}

#[tokio::test]
async fn a_ca_without_a_certificate_is_an_error() {
    let served = serve().await;
    let error = connect(&served, Some("not PEM"), "web").await.unwrap_err();
    assert_eq!(error, "`ca` not PEM has no certificate in PEM");
}
