//! The cache of fetched tools: one folder per tool and version, each with a lock, so that two runs don't race.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::pins::Pin;
use super::unpack;

/// How long to wait for another run's download.
const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

/// A tool's slot in the cache, locked while this value lives.
pub(super) struct Slot<'a> {
    pin: &'a Pin,
    binary: PathBuf,
    _lock: File,
}

impl<'a> Slot<'a> {
    /// Waits for the lock of a pinned tool's slot.
    pub async fn open(pin: &'a Pin) -> anyhow::Result<Self> {
        Self::open_in(&root()?, pin).await
    }

    /// Like [`Slot::open`], in a given cache folder.
    pub(super) async fn open_in(root: &Path, pin: &'a Pin) -> anyhow::Result<Self> {
        let dir = root.join("tools").join(format!("{}-{}", pin.name, pin.version));
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let lock = lock(&dir.join("lock")).await?;
        Ok(Self { pin, binary: dir.join(pin.name.as_str()), _lock: lock })
    }

    /// Returns the binary if an earlier run stored it and it still has the committed digest, or is a member of an archive
    /// that has it. Nothing in the cache itself is trusted.
    pub async fn cached(&self) -> Option<PathBuf> {
        let (binary, archive) = (self.binary.clone(), self.archive());
        let of_file = self.pin.download().filter(|file| file.member.is_none()).map(|file| file.sha256.clone());
        let of_package = self.pin.package().map(|package| package.sha256.clone());
        let packed = self.pin.download().and_then(|file| Some((file.sha256.clone(), file.member.clone()?)));
        let is_committed = move || -> anyhow::Result<bool> {
            let found = sha256_of_file(&binary)?;
            if [of_file, of_package].into_iter().flatten().any(|committed| committed == found) {
                return Ok(true);
            }
            let Some((committed, member)) = packed else { return Ok(false) };
            let archive = std::fs::read(archive)?;
            Ok(sha256(&archive) == committed && sha256(&unpack::from_tar_gz(&archive, &member)?) == found)
        };
        let is_committed = tokio::task::spawn_blocking(is_committed).await.ok()?.unwrap_or(false);
        is_committed.then(|| self.binary.clone())
    }

    /// Stores a verified binary atomically, with its archive if only the archive has a committed digest.
    pub fn store(&self, Fetched { binary, archive }: &Fetched) -> anyhow::Result<PathBuf> {
        if let Some(archive) = archive {
            write_whole(&self.archive(), archive, 0o644)?;
        }
        write_whole(&self.binary, binary, 0o755)?;
        Ok(self.binary.clone())
    }

    fn archive(&self) -> PathBuf {
        self.binary.with_extension("tar.gz")
    }
}

/// A fetched binary.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The binary.
    pub binary: Vec<u8>,
    /// Its archive, if the committed digest is that of the archive.
    pub archive: Option<Vec<u8>>,
}

/// Returns `$XDG_CACHE_HOME/chartproof`, otherwise `~/.cache/chartproof`.
pub fn root() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set: set one of them")?.join("chartproof"))
}

/// Waits for a lock file. There is no notification for a released lock, so it is polled, within a bound.
async fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("opening {}", path.display()))?;
    let deadline = tokio::time::Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "{} has been locked by another run for {} s; wait for that run to end",
                    path.display(),
                    LOCK_TIMEOUT.as_secs()
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
}

/// Writes a file atomically.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let dir = path.parent().context("a file without a folder")?;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Returns the SHA-256 digest of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns the SHA-256 digest of everything that a reader returns, without holding all of it in memory.
///
/// # Errors
/// If the reader fails.
pub fn sha256_of(reader: &mut impl std::io::Read) -> std::io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Returns the digest of a file; see [`sha256_of`].
///
/// # Errors
/// If it can't be read.
pub fn sha256_of_file(path: &Path) -> std::io::Result<String> {
    sha256_of(&mut File::open(path)?)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, pins};

    fn pin(file: &str) -> Pin {
        let platform = pins::platform();
        toml::from_str(&format!(
            "name = 'kind'\nversion = '0.1.0'\n[[file]]\nplatform = '{platform}'\nurl = ''\n{file}"
        ))
        .unwrap()
    }

    fn fetched(binary: &[u8], archive: Option<Vec<u8>>) -> Fetched {
        Fetched { binary: binary.to_owned(), archive }
    }

    #[tokio::test]
    async fn a_stored_binary_is_used_while_it_has_the_committed_digest() {
        let (dir, pin) = (tempfile::tempdir().unwrap(), pin(&format!("sha256 = '{}'", sha256(b"#!/bin/sh\n"))));
        let slot = Slot::open_in(dir.path(), &pin).await.unwrap();
        assert_eq!(slot.cached().await, None);
        let path = slot.store(&fetched(b"#!/bin/sh\n", None)).unwrap();
        assert_eq!(slot.cached().await, Some(path.clone()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        std::fs::write(&path, "#!/bin").unwrap();
        // Earlier versions trusted this file.
        std::fs::write(path.with_extension("sha256"), sha256(b"#!/bin")).unwrap();
        assert_eq!(slot.cached().await, None, "a digest beside it proves nothing");
    }

    #[tokio::test]
    async fn a_binary_from_an_archive_must_match_the_archive_with_the_committed_digest() {
        let archive = unpack::tests::tar_gz("os/kind", b"binary");
        let pin = pin(&format!("sha256 = '{}'\nmember = 'os/kind'", sha256(&archive)));
        let dir = tempfile::tempdir().unwrap();
        let slot = Slot::open_in(dir.path(), &pin).await.unwrap();
        let path = slot.store(&fetched(b"binary", Some(archive))).unwrap();
        assert_eq!(slot.cached().await, Some(path.clone()));
        std::fs::write(&path, "another").unwrap();
        assert_eq!(slot.cached().await, None, "not what is in the archive");
        let other = unpack::tests::tar_gz("os/kind", b"another");
        std::fs::write(path.with_extension("tar.gz"), other).unwrap();
        assert_eq!(slot.cached().await, None, "not the committed archive");
    }

    #[tokio::test]
    async fn a_second_run_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let pin = pins::pinned(Name::Kind).unwrap();
        let first = Slot::open_in(dir.path(), pin).await.unwrap();
        let second = Slot::open_in(dir.path(), pin);
        let late = tokio::time::timeout(Duration::from_millis(300), second).await;
        assert!(late.is_err(), "the lock did not hold");
        drop(first);
        Slot::open_in(dir.path(), pin).await.unwrap();
    }
}
