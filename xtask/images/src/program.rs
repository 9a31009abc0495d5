//! Makes an image from a program on this machine and the libraries that it needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::write::{self, Config, Entry, EntryKind};
use super::{Archive, Reference};
use process::Launcher;
use tools::{sha256, sha256_of_file};

/// The user that applications run as.
const USER: &str = "10001";

/// The content of an image, and what it starts.
pub struct Image {
    entries: Vec<Entry>,
    config: Config,
}

impl Image {
    /// Returns an image of these files that starts `entrypoint`.
    pub(super) fn new(files: BTreeMap<String, EntryKind>, entrypoint: &str, command: &[&str]) -> Self {
        let config = Config {
            user: USER.to_owned(),
            entrypoint: vec![entrypoint.to_owned()],
            command: command.iter().map(|&word| word.to_owned()).collect(),
            env: vec!["PATH=/bin".to_owned()],
        };
        Self { entries: layer(files), config }
    }

    /// Returns an image with a program and its shared libraries, if any, that starts it as `/bin/NAME`.
    ///
    /// # Errors
    /// If the libraries can't be determined.
    pub(super) async fn of(launcher: &Launcher, executable: &Path, name: &str) -> anyhow::Result<Self> {
        let path = format!("bin/{name}");
        Ok(Self::new(program(launcher, &path, executable, &[]).await?, &format!("/{path}"), &[]))
    }

    /// Returns an image with these files, by their paths in the image, and what the programs among them need. The
    /// programs, by their paths, also have a link in `/bin` with a name; the image starts the first. The folders in
    /// `unpacked` are searched for shared libraries before this machine's.
    ///
    /// # Errors
    /// If a program is not one of the files, or its libraries can't be determined.
    pub async fn of_files(
        launcher: &Launcher,
        files: BTreeMap<String, PathBuf>,
        programs: &[(&str, &str)],
        unpacked: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let (first, _) = programs.first().context("an image has a program")?;
        let mut entries = BTreeMap::new();
        for (name, path) in programs {
            let file = files.get(*path).with_context(|| format!("the image has no file {path}"))?;
            entries.extend(program(launcher, path, file, unpacked).await?);
            entries.insert(format!("bin/{name}"), EntryKind::Symlink(format!("/{path}")));
        }
        let others = files.into_iter().map(|(path, file)| (path, EntryKind::Program(file)));
        let entries = others.chain(entries).collect();
        Ok(Self::new(entries, &format!("/bin/{first}"), &[]))
    }

    /// Returns a digest of its content and of `made`, which describes how the image is made.
    ///
    /// # Errors
    /// If a program can't be read.
    pub(super) fn digest(&self, made: &str) -> anyhow::Result<String> {
        digest(&self.entries, made)
    }

    /// Writes the image's archive.
    ///
    /// # Errors
    /// If the archive can't be written.
    pub async fn pack(self, archive: &Path, references: &[Reference]) -> anyhow::Result<Archive> {
        let (path, references) = (archive.to_owned(), references.to_vec());
        let pack = move || write::archive(&path, &self.entries, &self.config, &references);
        tokio::task::spawn_blocking(pack).await?.with_context(|| format!("packing {}", archive.display()))
    }
}

/// Returns a program's files in an image, the program itself at `path`. Libraries from `unpacked` folders, which stand
/// elsewhere in the image, go to `/usr/lib`, where every loader looks.
pub(super) async fn program(
    launcher: &Launcher,
    path: &str,
    executable: &Path,
    unpacked: &[PathBuf],
) -> anyhow::Result<BTreeMap<String, EntryKind>> {
    let executable = executable.canonicalize().with_context(|| executable.display().to_string())?;
    let libraries = libraries(launcher, &executable, unpacked).await?;
    let named = |library: PathBuf| {
        let unpacked = library.parent().is_some_and(|folder| unpacked.iter().any(|one| one == folder));
        let name = library.file_name().filter(|_| unpacked).map(|name| Path::new("usr/lib").join(name));
        let path = name.unwrap_or_else(|| library.clone()).display().to_string();
        (path.trim_start_matches('/').to_owned(), EntryKind::Program(library))
    };
    let program = (path.to_owned(), EntryKind::Program(executable));
    Ok(std::iter::once(program).chain(libraries.into_iter().map(named)).collect())
}

/// Returns the loader and the shared libraries that a program needs; empty for a static program. These folders are
/// searched before this machine's.
pub(super) async fn libraries(
    launcher: &Launcher,
    program: &Path,
    folders: &[PathBuf],
) -> anyhow::Result<Vec<PathBuf>> {
    // Elsewhere, programs for the nodes are compiled in Docker, and static.
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let ldd = launcher.cmd("ldd").arg(program).env("LC_ALL", "C");
    // Libraries that the user preloads into other programs don't belong into the image.
    let ldd = ldd.env("LD_LIBRARY_PATH", std::env::join_paths(folders)?).env_remove("LD_PRELOAD").output().await?;
    let output = format!("{}{}", ldd.stdout, ldd.stderr);
    match parse_ldd(&output) {
        Some(libraries) => Ok(libraries),
        None => bail!("can't determine which libraries {} needs: {output}", program.display()),
    }
}

/// Parses the output of `ldd`: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
/// If the loader is a link (`/lib64/ld-linux-x86-64.so.2 => /usr/lib64/ld-linux-x86-64.so.2`), programs use the left path.
fn parse_ldd(output: &str) -> Option<Vec<PathBuf>> {
    if output.contains("not a dynamic executable") || output.contains("statically linked") {
        return Some(vec![]);
    }
    let lines = output.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("linux-vdso"));
    lines
        .map(|line| {
            let path =
                line.split_once(" => ").map_or(line, |(left, right)| if left.starts_with('/') { left } else { right });
            let path = path.split(" (").next().unwrap_or_default();
            path.starts_with('/').then(|| PathBuf::from(path))
        })
        .collect()
}

/// Returns all entries, folders before their content.
fn layer(mut files: BTreeMap<String, EntryKind>) -> Vec<Entry> {
    let users = format!("root:x:0:0::/:/bin/sh\napp:x:{USER}:{USER}::/:/bin/sh\n");
    files.insert("etc/passwd".to_owned(), EntryKind::File(0o644, users.into_bytes()));
    files.insert("tmp".to_owned(), EntryKind::Folder(0o1777));
    let parents: Vec<String> = files.keys().flat_map(|path| parents(path)).collect();
    for parent in parents {
        files.entry(parent).or_insert(EntryKind::Folder(0o755));
    }
    files.into_iter().map(|(path, kind)| Entry { path, kind }).collect()
}

fn parents(path: &str) -> Vec<String> {
    path.match_indices('/').map(|(end, _)| path[..end].to_owned()).collect()
}

/// Returns a digest of an image's content and of `made`.
///
/// # Errors
/// If a program can't be read.
fn digest(entries: &[Entry], made: &str) -> anyhow::Result<String> {
    let line = |Entry { path, kind }: &Entry| {
        Ok(match kind {
            EntryKind::Folder(mode) => format!("{path} folder {mode}\n"),
            EntryKind::File(mode, bytes) => format!("{path} file {mode} {}\n", sha256(bytes)),
            EntryKind::Program(program) => {
                format!("{path} program {}\n", sha256_of_file(program).with_context(|| program.display().to_string())?)
            }
            EntryKind::Symlink(target) => format!("{path} link {target}\n"),
        })
    };
    let lines = entries.iter().map(line).collect::<anyhow::Result<String>>()?;
    Ok(sha256(format!("{made}\n{lines}").as_bytes())[..16].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_ldd_is_parsed() {
        let output = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x7f)\n\t/lib64/ld.so.2 (0x7f)\n";
        assert_eq!(parse_ldd(output).unwrap(), [PathBuf::from("/lib/x/libc.so.6"), "/lib64/ld.so.2".into()]);
        let arch = "\tlibc.so.6 => /usr/lib/libc.so.6 (0x7f)\n\t/lib64/ld.so.2 => /usr/lib64/ld.so.2 (0x7f)\n";
        assert_eq!(parse_ldd(arch).unwrap(), [PathBuf::from("/usr/lib/libc.so.6"), "/lib64/ld.so.2".into()]);
        assert_eq!(parse_ldd("\tstatically linked\n").unwrap(), [] as [PathBuf; 0]);
        assert_eq!(parse_ldd("\tnot a dynamic executable\n").unwrap(), [] as [PathBuf; 0]);
        assert_eq!(parse_ldd("\tlibx.so => not found\n"), None);
    }

    #[test]
    fn the_digest_depends_on_the_content_of_programs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        let of = |content: &str| {
            std::fs::write(&path, content).unwrap();
            digest(&[Entry { path: "bin/app".to_owned(), kind: EntryKind::Program(path.clone()) }], "/bin/app").unwrap()
        };
        let (one, other, again) = (of("one"), of("other"), of("one"));
        assert!(one != other && one == again);
        std::fs::remove_file(&path).unwrap();
        let entry = Entry { path: "bin/app".to_owned(), kind: EntryKind::Program(path.clone()) };
        let error = digest(&[entry], "/bin/app").unwrap_err();
        assert!(error.to_string().ends_with("/app"), "{error}");
    }

    #[test]
    fn folders_come_before_their_files() {
        let files = [("lib/x/libc.so.6".to_owned(), EntryKind::File(0o755, vec![]))].into();
        let paths: Vec<_> = layer(files).into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["etc", "etc/passwd", "lib", "lib/x", "lib/x/libc.so.6", "tmp"]);
    }
}
