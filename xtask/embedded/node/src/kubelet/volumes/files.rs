//! Files and directories of volumes, with their modes and owners.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, chownat, fstat, open, openat};

/// One file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Relative to the volume's directory.
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub mode: u32,
}

/// Creates a directory with this mode, regardless of the umask, and its missing parents.
pub(super) fn make_directory(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Makes the volume's directory contain exactly these files.
pub(super) fn write_all(directory: &Path, files: &[File]) -> std::io::Result<()> {
    make_directory(directory, 0o755)?;
    for file in files {
        if !file.path.components().all(|part| matches!(part, Component::Normal(_))) {
            let why = format!("{} leads out of the volume", file.path.display());
            return Err(Error::new(ErrorKind::InvalidInput, why));
        }
        let path = directory.join(&file.path);
        if std::fs::read(&path).is_ok_and(|bytes| bytes == file.bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // Written to a temporary name and renamed: a container never sees half a file.
        let beside = path.with_extension("chartproof-new");
        let mut written = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
        written.write_all(&file.bytes)?;
        written.set_permissions(std::fs::Permissions::from_mode(file.mode))?;
        std::fs::rename(&beside, &path)?;
    }
    let wanted: BTreeSet<PathBuf> = files.iter().map(|file| directory.join(&file.path)).collect();
    remove_others(directory, &wanted)
}

fn remove_others(directory: &Path, wanted: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_others(&entry.path(), wanted)?;
        } else if !wanted.contains(&entry.path()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Gives a volume to the pod's `fsGroup`: group, set-group-ID on directories, and group permissions. A node without
/// root leaves ids that it can't set as they are; the report mentions that.
pub(super) fn give_to_group(path: &Path, group: Option<u32>, read_only: bool) {
    let Some(group) = group else { return };
    let given = open(path, REFERENCE, Mode::empty()).map_err(Error::from).and_then(|at| give(&at, group, read_only));
    if let Err(error) = given
        && !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput)
    {
        tracing::warn!(path = %path.display(), group, %error, "a volume can't be given to its group");
    }
}

const REFERENCE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Goes from descriptor to descriptor: by name, a link put there meanwhile would lead to files of the host.
fn give(at: &OwnedFd, group: u32, read_only: bool) -> std::io::Result<()> {
    let found = fstat(at)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    if kind == FileType::Symlink {
        return Ok(());
    }
    let path = format!("/proc/self/fd/{}", at.as_raw_fd());
    let mut mode = found.st_mode & 0o7777 | if read_only { 0o440 } else { 0o660 };
    if kind == FileType::Directory {
        mode |= 0o2110;
        for entry in std::fs::read_dir(&path)? {
            give(&openat(at, entry?.file_name(), REFERENCE, Mode::empty())?, group, read_only)?;
        }
    }
    chownat(at, "", None, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
}
