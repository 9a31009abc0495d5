//! etcd from Debian's package, as an image.

use std::path::{Path, PathBuf};

use crate::command::command;
use images::Archive;
use images::program::Image;
use process::Launcher;

/// The package, and the chart's name for the image.
const PACKAGE: &str = "etcd-server";
const IMAGE: &str = "chartproof/etcd:package";

/// Returns why etcd is not available on this machine, or `None` if it is.
pub fn missing() -> Option<String> {
    if installed().is_some() {
        return None;
    }
    for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
        if which::which(tool).is_err() {
            return Some(format!("neither etcd nor {tool} is on PATH; install etcd"));
        }
    }
    let shown = command("apt-cache", ["show", PACKAGE]).stdout_capture().stderr_null().unchecked().run().unwrap();
    let known = shown.status.success() && !shown.stdout.is_empty();
    (!known).then(|| format!("apt has no package {PACKAGE}; run apt-get update, or install etcd"))
}

fn installed() -> Option<PathBuf> {
    which::which("etcd").ok()
}

/// Creates the image's archive below this folder.
pub async fn image(folder: &Path) -> Archive {
    let executable = installed().unwrap_or_else(|| unpacked(folder));
    let reference = IMAGE.parse().unwrap();
    let image = Image::of(&Launcher::light(false), &executable).await.unwrap();
    image.pack(&folder.join("etcd.tar"), &[reference]).await.unwrap()
}

/// Downloads the package and extracts the program; nothing is installed.
fn unpacked(folder: &Path) -> PathBuf {
    if let Some(why) = missing() {
        panic!("{why}");
    }
    command("apt-get", ["--quiet", "download", PACKAGE]).dir(folder).stdout_null().run().unwrap();
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let package = entries.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "deb")).unwrap();
    let tree = folder.join("package");
    command("dpkg-deb", ["--extract".as_ref(), package.as_os_str(), tree.as_os_str()]).run().unwrap();
    tree.join("usr/bin/etcd")
}
