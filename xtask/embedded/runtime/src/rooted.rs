//! File operations below a directory that no path leads out of, despite any links that an image put in it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, fchmod, mkdirat, open, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

/// The number of links that the kernel follows.
const LINKS_MAX: u32 = 40;

/// What to do if a path does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Return an error.
    Fail,
    /// Create directories.
    MakeDirs,
    /// Create directories, and an empty file as the last component.
    MakeFile,
}

/// A directory that is treated as `/`.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens the tree below `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())? })
    }

    /// Resolves `path` as a process with this root would, and opens it as a reference only (`O_PATH`).
    ///
    /// Links are followed here, one by one, so that missing parts behind them can be created where they point.
    pub fn resolve(&self, path: &Path, missing: IfMissing) -> io::Result<OwnedFd> {
        let mut pending = components(path);
        let mut resolved = PathBuf::from(".");
        let mut links = 0;
        while let Some(name) = pending.pop_front() {
            if name == ".." {
                if resolved != Path::new(".") {
                    resolved.pop();
                }
                continue;
            }
            match self.step(&resolved, &name)? {
                Some(FileType::Symlink) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::LOOP.into());
                    }
                    let target = readlinkat(&self.enter(&resolved)?, &name, Vec::new())?;
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        resolved = PathBuf::from(".");
                    }
                    let mut rest = components(&target);
                    rest.append(&mut pending);
                    pending = rest;
                    continue;
                }
                Some(FileType::Directory) => {}
                Some(_) if pending.is_empty() => {}
                Some(_) => return Err(Errno::NOTDIR.into()),
                None if missing == IfMissing::Fail => return Err(Errno::NOENT.into()),
                None => self.make(&resolved, &name, missing == IfMissing::MakeFile && pending.is_empty())?,
            }
            resolved.push(&name);
        }
        self.enter(&resolved)
    }

    /// Returns whether an absolute path ends in a link.
    pub fn has_link_at(&self, path: &str) -> bool {
        let name = path.trim_start_matches('/');
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    }

    /// Resolves `path` and opens it as a reference only (`O_PATH`). Unlike [`Root::resolve`], this treats a link to `/`
    /// or above the directory as an error (`EXDEV`).
    pub fn beneath(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.fd, path, flags, Mode::empty(), resolve)?)
    }

    /// Creates a directory in another one, with this mode regardless of the umask.
    fn make_directory(dir: &OwnedFd, name: &OsStr, mode: Mode) -> io::Result<()> {
        mkdirat(dir, name, mode)?;
        // By now it may be a link that a container has put there.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fchmod(openat(dir, name, flags, Mode::empty())?, mode)?)
    }

    /// Returns the type of the entry `name` in the directory, if there is one.
    fn step(&self, dir: &Path, name: &OsStr) -> io::Result<Option<FileType>> {
        match statat(&self.enter(dir)?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn make(&self, dir: &Path, name: &OsStr, file: bool) -> io::Result<()> {
        let dir = self.enter(dir)?;
        if file {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(&dir, name, flags, Mode::from_raw_mode(0o644))?;
            return Ok(());
        }
        Ok(mkdirat(&dir, name, Mode::from_raw_mode(0o755))?)
    }

    /// Opens a path without links: the kernel rejects any link that has appeared since.
    fn enter(&self, resolved: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(openat2(&self.fd, resolved, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?)
    }

    /// Returns the content of a file, truncated to `bytes_max`.
    pub fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let found = self.resolve(path, IfMissing::Fail)?;
        // Opening a pipe from an image would block forever.
        if FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("not a regular file"));
        }
        let mut content = Vec::new();
        File::open(by_descriptor(&found))?.take(bytes_max).read_to_end(&mut content)?;
        Ok(content)
    }
}

/// Creates the missing directories on a path beneath a directory of the node, accessible to all, and checks that no
/// link on it leads out. Whoever mounts it later has to check again ([`Mount::sub_path`](crate::Mount::sub_path)).
///
/// # Errors
/// `EXDEV` if a link leads out.
pub fn make_directories_beneath(directory: &Path, path: &Path) -> io::Result<()> {
    let root = Root::open(directory)?;
    let mut parent = root.beneath(Path::new("."))?;
    let mut reached = PathBuf::new();
    for name in components(path) {
        reached.push(&name);
        parent = match root.beneath(&reached) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Root::make_directory(&parent, &name, Mode::from_raw_mode(0o777))?;
                root.beneath(&reached)?
            }
            found => found?,
        };
    }
    Ok(())
}

/// Returns a path to the file behind a descriptor, for calls that take only paths; valid while the descriptor is open.
pub fn by_descriptor(descriptor: &OwnedFd) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

/// Returns the components of a path, including `..`.
fn components(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        fs::write(dir.path().join("secret"), "outside").unwrap();
        let root = Root::open(&dir.path().join("root")).unwrap();
        (dir, root)
    }

    #[test]
    fn no_path_leads_out() {
        let (dir, root) = tree();
        symlink("../secret", dir.path().join("root/up")).unwrap();
        symlink(dir.path().join("secret"), dir.path().join("root/absolute")).unwrap();
        symlink("..", dir.path().join("root/parent")).unwrap();
        for path in ["up", "absolute", "parent/secret", "../secret", "/../../secret"] {
            let error = root.read(Path::new(path), 100).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{path}");
        }
    }

    #[test]
    fn directories_are_created_beneath_and_nowhere_else() {
        let (dir, root) = tree();
        let inside = dir.path().join("root");
        fs::create_dir(dir.path().join("outside")).unwrap();
        symlink("../outside", inside.join("up")).unwrap();
        symlink(dir.path().join("outside"), inside.join("absolute")).unwrap();
        symlink("../outside/gone", inside.join("dangling")).unwrap();
        symlink("/proc/self/root", inside.join("magic")).unwrap();
        for out in ["up/made", "absolute/made", "dangling", "dangling/made", "../outside/made", "magic/made"] {
            make_directories_beneath(&inside, Path::new(out)).unwrap_err();
            root.beneath(Path::new(out)).unwrap_err();
        }
        assert_eq!(fs::read_dir(dir.path().join("outside")).unwrap().count(), 0);
        symlink("a/b", inside.join("within")).unwrap();
        make_directories_beneath(&inside, Path::new("a/b")).unwrap();
        make_directories_beneath(&inside, Path::new("within/c")).unwrap();
        assert!(inside.join("a/b/c").is_dir());
        let mode = std::os::unix::fs::PermissionsExt::mode(&inside.join("a").metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o777);
    }

    #[test]
    fn missing_parts_behind_a_link_are_created_where_it_points_inside() {
        let (dir, root) = tree();
        fs::create_dir(dir.path().join("root/etc")).unwrap();
        symlink("/run/resolve/stub", dir.path().join("root/etc/resolv.conf")).unwrap();
        root.resolve(Path::new("/etc/resolv.conf"), IfMissing::MakeFile).unwrap();
        assert!(dir.path().join("root/run/resolve/stub").is_file());
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let (dir, root) = tree();
        symlink("b", dir.path().join("root/a")).unwrap();
        symlink("a", dir.path().join("root/b")).unwrap();
        let error = root.resolve(Path::new("a/x"), IfMissing::MakeDirs).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    }
}
