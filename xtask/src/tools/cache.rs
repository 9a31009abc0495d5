//! The cache of fetched tools: one folder per tool and version, one lock so that two runs don't race.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::pins::Pin;

/// How long another run's download is waited for.
const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

/// A tool's place in the cache, locked while this lives.
pub(super) struct Slot {
    binary: PathBuf,
    _lock: File,
}

impl Slot {
    /// Waits for the place of a pinned tool.
    pub async fn open(pin: &Pin) -> anyhow::Result<Self> {
        Self::open_in(&root()?, pin).await
    }

    /// The same below a folder.
    pub(super) async fn open_in(root: &Path, pin: &Pin) -> anyhow::Result<Self> {
        let dir = root.join("tools").join(format!("{}-{}", pin.name, pin.version));
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let lock = lock(&dir.join("lock")).await?;
        Ok(Self { binary: dir.join(pin.name.as_str()), _lock: lock })
    }

    /// The binary, if an earlier run left it whole: it has to hash to what was checked then.
    pub async fn cached(&self) -> Option<PathBuf> {
        let expected = std::fs::read_to_string(self.digest_file()).ok()?;
        let binary = self.binary.clone();
        let found = tokio::task::spawn_blocking(move || sha256_of_file(&binary)).await;
        (found.ok()?.ok()? == expected.trim()).then(|| self.binary.clone())
    }

    /// Takes a binary that was checked, all at once.
    pub fn store(&self, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        write_whole(&self.binary, bytes, 0o755)?;
        write_whole(&self.digest_file(), sha256(bytes).as_bytes(), 0o644)?;
        Ok(self.binary.clone())
    }

    /// What the binary hashed to when it was stored. It is checked against the table before that; this finds
    /// a file cut short or changed since.
    fn digest_file(&self) -> PathBuf {
        self.binary.with_extension("sha256")
    }
}

/// `$XDG_CACHE_HOME/chartproof`, else `~/.cache/chartproof`.
pub fn root() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set: set one of them")?.join("chartproof"))
}

/// Waits for a lock file. Nothing announces that a lock is free: it is tried again, within a bound.
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
                bail!("{} has been locked by another run for {} s", path.display(), LOCK_TIMEOUT.as_secs())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
}

/// Writes a file so that it is there whole or not at all.
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

/// The digest of bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of all that a reader gives, which never is in memory as a whole.
///
/// # Errors
/// The reader's.
pub(crate) fn sha256_of(reader: &mut impl std::io::Read) -> std::io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// The digest of a file, as [`sha256_of`].
///
/// # Errors
/// Where it can't be read.
pub(crate) fn sha256_of_file(path: &Path) -> std::io::Result<String> {
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
    use crate::tools::{Name, pins};

    #[tokio::test]
    async fn what_was_stored_is_found_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let slot = Slot::open_in(dir.path(), pins::pinned(Name::Kind).unwrap()).await.unwrap();
        assert_eq!(slot.cached().await, None);
        let path = slot.store(b"#!/bin/sh\n").unwrap();
        assert_eq!(slot.cached().await, Some(path.clone()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        std::fs::write(&path, "#!/bin").unwrap();
        assert_eq!(slot.cached().await, None);
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
