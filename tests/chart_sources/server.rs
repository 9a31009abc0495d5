//! Servers of files: a repository of charts over HTTP, and a registry of charts over TLS.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Serves a folder until the test ends; returns its URL.
pub fn serve(folder: PathBuf) -> String {
    let address = listen(move |stream| respond(stream, &folder));
    format!("http://{address}")
}

/// A registry over TLS, with one chart.
pub struct Registry {
    /// Its host and port.
    pub address: SocketAddr,
    /// The file with the certificate that signed its own.
    pub ca: PathBuf,
}

/// Serves a packaged chart as `charts/web` with the tag `1.0.0` until the test ends; the files are below `folder`.
pub fn serve_registry(package: &Path, folder: &Path) -> Registry {
    let (config, ca) = certified();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("ca.pem"), ca).unwrap();
    put_chart(&std::fs::read(package).unwrap(), &folder.join("v2/charts/web"));
    let root = folder.to_owned();
    let address = listen(move |stream| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        respond(&mut stream, &root)?;
        stream.conn.send_close_notify();
        stream.flush()
    });
    Registry { address, ca: folder.join("ca.pem") }
}

/// Writes what a client gets from a registry, at the paths at which it asks.
fn put_chart(package: &[u8], folder: &Path) {
    let put = |path: &str, bytes: &[u8]| {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    let described = br#"{"apiVersion":"v2","name":"web","version":"1.0.0"}"#;
    let blob = |kind: &str, bytes: &[u8]| -> Value {
        put(&format!("blobs/{}", digest(bytes)), bytes);
        json!({ "mediaType": format!("application/vnd.cncf.helm.{kind}"), "digest": digest(bytes), "size": bytes.len() })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob("config.v1+json", described),
        "layers": [blob("chart.content.v1.tar+gzip", package)],
    });
    let manifest = manifest.to_string();
    put("manifests/1.0.0", manifest.as_bytes());
    put(&format!("manifests/{}", digest(manifest.as_bytes())), manifest.as_bytes());
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Returns the configuration of a server at 127.0.0.1, and the certificate that signed its own.
fn certified() -> (Arc<ServerConfig>, String) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (Arc::new(config), ca.pem())
}

/// Calls a function for each connection, one after another. A client may end one at any time.
fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(serve(stream.unwrap()));
        }
    });
    address
}

/// Responds to one request with a file of the folder.
fn respond(mut stream: impl Read + Write, folder: &Path) -> io::Result<()> {
    let mut lines = BufReader::new(&mut stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or("/").trim_start_matches('/'));
    let (status, body) = match std::fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let kind = if path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ndocker-content-digest: {}\r\n\
         connection: close\r\n\r\n",
        body.len(),
        digest(&body)
    );
    let body = if method == "HEAD" { Vec::new() } else { body };
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    stream.flush()
}
