//! Which directory of the node a container sees where.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, VolumeMount};
use runtime::Mount;

use super::{Volumes, files};
use crate::kubelet::env::Env;
use crate::kubelet::expand::expand;

/// The mounts of a container; what lies deeper comes later.
pub(in crate::kubelet) fn mounts(volumes: &Volumes, container: &Container, env: &Env) -> Result<Vec<Mount>, String> {
    let wanted = container.volume_mounts.iter().flatten();
    let mut mounts = wanted.map(|wanted| mount(volumes, wanted, env)).collect::<Result<Vec<_>, _>>()?;
    mounts.sort_by_key(|mount| mount.target.components().count());
    Ok(mounts)
}

fn mount(volumes: &Volumes, wanted: &VolumeMount, env: &Env) -> Result<Mount, String> {
    let volume = volumes.path(&wanted.name);
    let volume = volume.ok_or_else(|| format!("cannot find volume \"{}\" to mount into container", wanted.name))?;
    let expanded = wanted.sub_path_expr.as_deref().map(|path| expand(path, |name| env.get(name).cloned()));
    let below = expanded.as_deref().or(wanted.sub_path.as_deref()).filter(|path| !path.is_empty());
    let source = match below {
        None => volume.to_owned(),
        Some(path) => inside(volume, path)
            .map_err(|why| format!("failed to prepare subPath for volumeMount \"{}\": {why}", wanted.name))?,
    };
    let target = Path::new("/").join(&wanted.mount_path);
    Ok(Mount { source, target, read_only: wanted.read_only == Some(true) || volumes.is_read_only(&wanted.name) })
}

/// A path below a volume; a directory is made where nothing is. A link that leads out is refused.
fn inside(volume: &Path, below: &str) -> Result<PathBuf, String> {
    let path = volume.join(below);
    if path.symlink_metadata().is_err() {
        files::make_directory(&path, 0o777).map_err(|error| error.to_string())?;
    }
    let (real, volume) = (path.canonicalize(), volume.canonicalize());
    match (real, volume) {
        (Ok(real), Ok(volume)) if real.starts_with(&volume) => Ok(real),
        (Ok(_), Ok(_)) => Err(format!("subpath {below} leads out of the volume")),
        (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_path_is_made_and_may_not_lead_out() {
        let volume = tempfile::tempdir().unwrap();
        let made = inside(volume.path(), "a/b").unwrap();
        assert!(made.is_dir());
        std::os::unix::fs::symlink("/etc", volume.path().join("out")).unwrap();
        assert_eq!(inside(volume.path(), "out").unwrap_err(), "subpath out leads out of the volume");
    }
}
