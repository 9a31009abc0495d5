//! Images that the host itself can serve if no archive has them: its own programs, read-only.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use oci::Reference;

use super::Unpacked;
use crate::spec::{DEFAULT_PATH, Image, Mount};

/// The directories with programs and what they need; links between them (`/bin` to `usr/bin`) stay links.
const SYSTEM_DIRS: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"];
/// The files of `/etc` that programs need: the linker's cache, links to programs, certificates.
const SYSTEM_FILES: [&str; 8] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/nsswitch.conf",
];

/// As in curlimages/curl: bare options are options of curl.
const CURL_ENTRYPOINT: &str = "\
#!/bin/sh
set -e
if [ \"${1#-}\" != \"${1}\" ] || [ -z \"$(command -v \"${1}\")\" ]; then
  set -- curl \"$@\"
fi
exec \"$@\"
";

struct ServedImage {
    repository: &'static str,
    /// All of them have to be on the host.
    programs: &'static [&'static str],
    /// `name:password:uid:gid:comment:home:shell`, besides root.
    passwd: &'static str,
    group: &'static str,
    user: &'static str,
    entrypoint: &'static [&'static str],
    cmd: &'static [&'static str],
    script: Option<(&'static str, &'static str)>,
}

const SERVED: [ServedImage; 2] = [
    ServedImage {
        repository: "docker.io/library/busybox",
        programs: &["sh"],
        passwd: "",
        group: "",
        user: "",
        entrypoint: &[],
        cmd: &["sh"],
        script: None,
    },
    ServedImage {
        repository: "docker.io/curlimages/curl",
        programs: &["sh", "curl"],
        passwd: "curl_user:x:100:101:Linux User,,,:/home/curl_user:/sbin/nologin\n",
        group: "curl_group:x:101:curl_user\n",
        user: "curl_user",
        entrypoint: &["/entrypoint.sh"],
        cmd: &["curl"],
        script: Some(("entrypoint.sh", CURL_ENTRYPOINT)),
    },
];

/// Returns whether the host can serve an image of this reference if no archive has it.
pub fn serves(reference: &str) -> bool {
    let Ok(reference) = reference.parse::<Reference>() else { return false };
    served_by_tag(&reference).is_some_and(|(served, _)| served.programs.iter().all(|program| on_host(program)))
}

/// Returns the host's version of an image: `None` if it serves no image of that name, an error if a program is missing.
/// Its tree is created below `dir`.
pub fn serve(reference: &Reference, dir: &Path) -> Option<Result<Unpacked, String>> {
    let (served, tag) = served_by_tag(reference)?;
    if let Some(missing) = served.programs.iter().find(|program| !on_host(program)) {
        return Some(Err(format!(
            "it is in no loaded archive, and this host can't serve it: {missing} is missing in /usr/bin and /bin"
        )));
    }
    let name = served.repository.rsplit('/').next().unwrap_or_default();
    let tree = dir.join(name);
    let made = make_tree(served, &tree).map_err(|error| format!("serve it from the host: {error:#}"));
    Some(made.map(|host| Unpacked { image: image(served, reference, tag), tree, host }))
}

/// Returns what the host serves under a tag. A digest requests exact bytes, even with a tag beside it, so the host
/// serves none.
fn served_by_tag(reference: &Reference) -> Option<(&'static ServedImage, &str)> {
    let tag = reference.tag.as_deref().filter(|_| reference.digest.is_none())?;
    let repository = reference.full_repository();
    Some((SERVED.iter().find(|served| served.repository == repository)?, tag))
}

fn image(served: &ServedImage, reference: &Reference, tag: &str) -> Image {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    Image {
        reference: reference.lookup_name(),
        id: super::digest(format!("host {} {tag}", served.repository).as_bytes()),
        platform: oci::platform(),
        entrypoint: texts(served.entrypoint),
        cmd: texts(served.cmd),
        env: vec![format!("PATH={}", DEFAULT_PATH)],
        user: served.user.into(),
        from_host: true,
        ..Image::default()
    }
}

/// Creates the few files that the tree has of its own, and returns what has to be mounted from the host.
fn make_tree(served: &ServedImage, tree: &Path) -> Result<Vec<Mount>> {
    for (dir, mode) in
        [("", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700), ("home", 0o755)]
    {
        let path = tree.join(dir);
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    let passwd =
        format!("root:x:0:0:root:/root:/bin/sh\n{}nobody:x:65534:65534:nobody:/home:/bin/false\n", served.passwd);
    let group = format!("root:x:0:\n{}nobody:x:65534:\n", served.group);
    write(&tree.join("etc/passwd"), &passwd, 0o644)?;
    write(&tree.join("etc/group"), &group, 0o644)?;
    if let Some((name, script)) = served.script {
        write(&tree.join(name), script, 0o755)?;
    }
    let mut mounts = Vec::new();
    for path in SYSTEM_DIRS.into_iter().chain(SYSTEM_FILES).map(PathBuf::from) {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() && path.parent() == Some(Path::new("/")) => link_too(&path, tree)?,
            Ok(_) => mounts.push(Mount { source: path.clone(), target: path, read_only: true, ..Mount::default() }),
            Err(_) => {}
        }
    }
    Ok(mounts)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    fs::write(path, content).with_context(|| format!("write {}", path.display()))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

fn link_too(path: &Path, tree: &Path) -> Result<()> {
    let target = fs::read_link(path).with_context(|| format!("read the link {}", path.display()))?;
    let link = tree.join(path.strip_prefix("/").unwrap_or(path));
    match symlink(&target, &link) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("create the link {}", link.display()))
        }
        _ => Ok(()),
    }
}

/// Returns whether the host has a program where a container would look for it.
fn on_host(program: &str) -> bool {
    let executable = |path: PathBuf| {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|dir| executable(Path::new(dir).join(program)))
}
