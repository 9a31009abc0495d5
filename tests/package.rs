//! Images of programs from Debian's packages, for charts of programs that are not from this repository.
//!
//! What is installed on this machine is used as it is; the other packages are downloaded and unpacked, not installed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::command::command;
use images::Archive;
use images::program::Image;
use process::Launcher;

/// An application and where Debian has it. In paths, `*` stands for the only folder there, which has the version.
pub struct Application {
    /// The folder of its suite below `tests/`, and the last part of its image's name.
    name: &'static str,
    /// The packages.
    packages: &'static [&'static str],
    /// The programs, which the image also has in `/bin`; it starts the first.
    programs: &'static [&'static str],
    /// Folders whose files the programs need.
    folders: &'static [&'static str],
}

static APPLICATIONS: [Application; 4] = [
    Application {
        name: "etcd",
        packages: &["etcd-server", "etcd-client"],
        programs: &["usr/bin/etcd", "usr/bin/etcdctl"],
        folders: &[],
    },
    Application { name: "nats", packages: &["nats-server"], programs: &["usr/sbin/nats-server"], folders: &[] },
    Application {
        name: "postgres",
        packages: &["postgresql"],
        programs: &[
            "usr/lib/postgresql/*/bin/postgres",
            "usr/lib/postgresql/*/bin/initdb",
            "usr/lib/postgresql/*/bin/pg_isready",
            "usr/lib/postgresql/*/bin/psql",
        ],
        folders: &[
            "usr/lib/postgresql/*/lib",
            "usr/share/postgresql/*",
            "usr/share/postgresql/*/extension",
            "usr/share/postgresql/*/timezonesets",
            "usr/share/postgresql/*/tsearch_data",
        ],
    },
    Application {
        name: "redis",
        packages: &["redis-server"],
        programs: &["usr/bin/redis-server", "usr/bin/redis-cli"],
        folders: &[],
    },
];

/// Returns the application with this name.
pub fn application(name: &str) -> Option<&'static Application> {
    APPLICATIONS.iter().find(|application| application.name == name)
}

/// A shell for the charts' scripts, in every image: busybox under this name finds its other tools in itself.
const SHELL: (&str, &str, &str) = ("sh", "busybox-static", "bin/busybox");

/// What goes into an image.
#[derive(Default)]
struct Content {
    /// The files, by their paths in the image.
    files: BTreeMap<String, PathBuf>,
    /// Names of the programs, and their paths in the image.
    programs: Vec<(String, String)>,
}

impl Application {
    /// Returns why the application is not available on this machine, or `None` if it is.
    pub fn missing(&self) -> Option<String> {
        if self.find(&[]).is_ok() {
            return None;
        }
        for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
            if which::which(tool).is_err() {
                return Some(format!("neither {} nor {tool} is on PATH", self.packages.join(", ")));
            }
        }
        let unknown = self.packages().find(|package| !is_known(package))?;
        Some(format!("apt has no package {unknown}; run apt-get update, or install it"))
    }

    /// Creates the image's archive below this folder.
    pub async fn image(&self, folder: &Path) -> Archive {
        if let Some(why) = self.missing() {
            panic!("{why}");
        }
        let tree = folder.join("tree");
        if self.find(&[]).is_err() {
            self.unpack(folder, &tree);
        }
        let Content { files, programs } = self.find(&[tree.as_path()]).unwrap();
        let programs: Vec<_> = programs.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
        let image = Image::of_files(&Launcher::light(false), files, &programs, &libraries(&tree)).await.unwrap();
        let reference = format!("chartproof/{}:package", self.name).parse().unwrap();
        image.pack(&folder.join(format!("{}.tar", self.name)), &[reference]).await.unwrap()
    }

    fn packages(&self) -> impl Iterator<Item = &'static str> {
        self.packages.iter().copied().chain([SHELL.1])
    }

    /// Downloads the packages that are not installed, and all that they depend on, and unpacks them.
    fn unpack(&self, folder: &Path, tree: &Path) {
        let archives = folder.join("archives");
        std::fs::create_dir_all(archives.join("partial")).unwrap();
        let flags = ["--quiet", "--yes", "--no-install-recommends", "--no-upgrade", "--option=Debug::NoLocking=true"];
        let flags = flags.into_iter().chain(["--download-only", "install"]).chain(self.packages());
        let cache = format!("--option=Dir::Cache={}", folder.display());
        command("apt-get", std::iter::once(cache).chain(flags.map(str::to_owned))).stdout_null().run().unwrap();
        for package in std::fs::read_dir(archives).unwrap().map(|entry| entry.unwrap().path()) {
            if package.extension() == Some(OsStr::new("deb")) {
                command("dpkg-deb", ["--extract".as_ref(), package.as_os_str(), tree.as_os_str()]).run().unwrap();
            }
        }
    }

    /// Looks for everything in these trees, and then on this machine.
    fn find(&self, trees: &[&Path]) -> Result<Content, String> {
        let roots: Vec<_> = trees.iter().copied().chain([Path::new("/")]).collect();
        let find = |pattern: &str| {
            let found = roots.iter().find_map(|root| Some((*root, only(root, pattern)?)));
            found.ok_or_else(|| format!("there is no {pattern}"))
        };
        let inside = |root: &Path, path: &Path| path.strip_prefix(root).unwrap().display().to_string();
        let mut content = Content::default();
        let named = self.programs.iter().map(|path| (path.rsplit('/').next().unwrap_or(path), *path));
        for (name, pattern) in named.chain([(SHELL.0, SHELL.2)]) {
            let (root, path) = find(pattern)?;
            content.programs.push((name.to_owned(), inside(root, &path)));
            content.files.insert(inside(root, &path), path);
        }
        for pattern in self.folders {
            let (root, folder) = find(pattern)?;
            let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            content.files.extend(paths.filter(|path| path.is_file()).map(|path| (inside(root, &path), path)));
        }
        Ok(content)
    }
}

fn is_known(package: &str) -> bool {
    let shown = command("apt-cache", ["show", package]).stdout_capture().stderr_null().unchecked().run().unwrap();
    shown.status.success() && !shown.stdout.is_empty()
}

/// Returns the path below `root` that matches the pattern.
fn only(root: &Path, pattern: &str) -> Option<PathBuf> {
    let step = |path: PathBuf, name: &str| match name {
        "*" => std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path())).max(),
        name => Some(path.join(name)),
    };
    pattern.split('/').try_fold(root.to_owned(), step).filter(|path| path.exists())
}

/// Returns the folders of shared libraries in a tree of packages.
fn libraries(tree: &Path) -> Vec<PathBuf> {
    let folders = ["lib", "usr/lib"].into_iter().filter_map(|lib| std::fs::read_dir(tree.join(lib)).ok()).flatten();
    let folders = folders.map(|entry| entry.unwrap().path());
    folders.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect()
}
