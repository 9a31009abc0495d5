//! A container's root file system: its image's tree below, a layer of its own above.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

use super::plan::RootPlan;
use crate::trees::copy_tree;

/// Puts the container's own layer over the image's tree: as an overlay on disk; in memory, if the disk's file system
/// can't hold an upper layer; or as a copy, if there is no overlayfs.
pub fn make_root(plan: &RootPlan) -> Result<PathBuf> {
    let merged = plan.own.join("root");
    fs::create_dir_all(&merged).with_context(|| format!("create the directory {}", merged.display()))?;
    let Err(on_disk) = overlay(plan, &plan.own, &merged) else { return Ok(merged) };
    let memory = plan.own.join("memory");
    fs::create_dir_all(&memory).with_context(|| format!("create the directory {}", memory.display()))?;
    mount("tmpfs", &memory, "tmpfs", MountFlags::NODEV, c"mode=0755").context("mount a file system in memory")?;
    let Err(_in_memory) = overlay(plan, &memory, &merged) else { return Ok(merged) };
    unmount(&memory, UnmountFlags::DETACH).context("unmount the file system in memory")?;
    copy_tree(&plan.lower, &merged)
        .with_context(|| format!("copy the image's files, because no overlay is possible ({on_disk})"))?;
    mount_bind(&merged, &merged).context("mount the root file system")?;
    Ok(merged)
}

fn overlay(plan: &RootPlan, own: &Path, merged: &Path) -> io::Result<()> {
    let (upper, work) = (own.join("upper"), own.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    // The merged root has the mode and the owner of its upper directory.
    fs::set_permissions(&upper, fs::metadata(&plan.lower)?.permissions())?;
    let options = format!("lowerdir={},upperdir={},workdir={}", plan.lower.display(), upper.display(), work.display());
    // Inside a user namespace, overlayfs can't write trusted attributes and uses others instead.
    let in_user_namespace = format!("{options},userxattr");
    for options in [options, in_user_namespace] {
        let options = CString::new(options)?;
        match mount("overlay", merged, "overlay", MountFlags::NODEV, options.as_c_str()) {
            Ok(()) => {
                // The kernel creates a directory there that nobody may enter, and an ordinary user couldn't remove it.
                let _ = fs::set_permissions(work.join("work"), fs::Permissions::from_mode(0o700));
                return Ok(());
            }
            Err(Errno::PERM | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("the kernel refuses an overlay here"))
}
