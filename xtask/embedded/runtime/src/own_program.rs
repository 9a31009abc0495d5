//! This program's own file, in the only form in which a container can reach it.
//!
//! A helper is this program, and a container can name it as the program to run (`/proc/self/exe`). As root it could
//! then write to the file, which the host executes again (as in CVE-2019-5736). So helpers are started from a read-only
//! mount.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::mount_bind;

use crate::container::restrict;
use crate::rooted::Root;

const OWN: &str = "/proc/self/exe";

/// Mounts it below the node's directory, in the node's own mount namespace, and returns the path.
pub fn mount_read_only(dir: &Path) -> Result<PathBuf> {
    let place = dir.join("helper");
    let source = source(&place).context("find this program's own file")?;
    mount_bind(&source, &place).with_context(|| format!("mount this program at {}", place.display()))?;
    let mounted = Root::open(dir).and_then(|dir| dir.beneath(Path::new("helper")));
    mounted.and_then(|mounted| restrict(&mounted, true)).context("make this program's file read-only")?;
    Ok(place)
}

/// Returns the file that this process was started from, or a copy if the file was replaced or deleted.
fn source(place: &Path) -> std::io::Result<PathBuf> {
    let path = fs::read_link(OWN)?;
    let own = fs::metadata(OWN)?;
    if fs::metadata(&path).is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino())) {
        fs::write(place, "")?;
        return Ok(path);
    }
    fs::copy(OWN, place)?;
    Ok(place.to_owned())
}
