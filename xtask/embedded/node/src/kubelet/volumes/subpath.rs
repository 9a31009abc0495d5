//! The mounts of a container: which directory of the node appears where.

use std::path::{Component, Path};

use k8s_openapi::api::core::v1::{Container, VolumeMount};
use runtime::Mount;

use super::Volumes;
use crate::kubelet::expand::expand;
use crate::kubelet::service_env::Env;

/// Returns the mounts of a container; deeper ones come later.
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
    let below = expanded.as_deref().or(wanted.sub_path.as_deref()).unwrap_or_default();
    if !below.is_empty() {
        make(volume, below)
            .map_err(|why| format!("failed to prepare subPath for volumeMount \"{}\": {why}", wanted.name))?;
    }
    let target = Path::new("/").join(&wanted.mount_path);
    let read_only = wanted.read_only == Some(true) || volumes.is_read_only(&wanted.name);
    Ok(Mount { source: volume.to_owned(), sub_path: below.into(), target, read_only })
}

/// Creates the missing directories of a path below a volume. The runtime checks the path again when it mounts it: the
/// pod's other containers may change it meanwhile.
fn make(volume: &Path, below: &str) -> Result<(), String> {
    let below = Path::new(below);
    if below.is_absolute() {
        return Err(format!("error SubPath `{}` must not be an absolute path", below.display()));
    }
    if below.components().any(|part| part == Component::ParentDir) {
        return Err(format!("unable to provision SubPath `{}`: must not contain '..'", below.display()));
    }
    runtime::make_directories_beneath(volume, below).map_err(|error| match error.raw_os_error() {
        Some(nix::libc::EXDEV | nix::libc::ELOOP) => format!("subpath {} leads out of the volume", below.display()),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_path_is_created_and_may_not_lead_out() {
        let volume = tempfile::tempdir().unwrap();
        make(volume.path(), "a/b").unwrap();
        assert!(volume.path().join("a/b").is_dir());
        std::os::unix::fs::symlink("/etc", volume.path().join("out")).unwrap();
        assert_eq!(make(volume.path(), "out").unwrap_err(), "subpath out leads out of the volume");
    }

    /// The value of `subPathExpr` is known only after its variables are expanded.
    #[test]
    fn nothing_is_created_outside_the_volume() {
        let directory = tempfile::tempdir().unwrap();
        let (volume, outside) = (directory.path().join("volume"), directory.path().join("outside"));
        std::fs::create_dir(&volume).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink("../outside", volume.join("out")).unwrap();
        assert_eq!(make(&volume, "out/made").unwrap_err(), "subpath out/made leads out of the volume");
        let expected = "unable to provision SubPath `../outside/made`: must not contain '..'";
        assert_eq!(make(&volume, "../outside/made").unwrap_err(), expected);
        let absolute = outside.join("made").display().to_string();
        let expected = format!("error SubPath `{absolute}` must not be an absolute path");
        assert_eq!(make(&volume, &absolute).unwrap_err(), expected);
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }
}
