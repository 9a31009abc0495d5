//! Files and directories of volumes, with their modes and owners.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// One file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Below the volume's directory.
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub mode: u32,
}

/// Makes a directory with this mode, whatever the umask, and those above it.
pub(super) fn make_directory(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Makes the volume's directory hold these files and no others.
pub(super) fn write_all(directory: &Path, files: &[File]) -> std::io::Result<()> {
    make_directory(directory, 0o755)?;
    for file in files {
        let path = directory.join(&file.path);
        if std::fs::read(&path).is_ok_and(|bytes| bytes == file.bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // Written beside and renamed: a container never sees half a file.
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

/// Gives a volume to the pod's `fsGroup`: group, set-group-id on directories, and group permissions.
/// Ids that a node without root can't give away stay as they are; the report lists that.
pub(super) fn give_to_group(path: &Path, group: Option<u32>, read_only: bool) {
    let Some(group) = group else { return };
    if let Err(error) = give(path, group, read_only)
        && !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput)
    {
        tracing::warn!(path = %path.display(), group, %error, "a volume can't be given to its group");
    }
}

fn give(path: &Path, group: u32, read_only: bool) -> std::io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mut mode = metadata.mode() & 0o7777 | if read_only { 0o440 } else { 0o660 };
    if metadata.is_dir() {
        mode |= 0o2110;
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), group, read_only)?;
        }
    }
    chown(path, None, Some(group))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
