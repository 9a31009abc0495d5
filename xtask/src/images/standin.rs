//! Builds the stand-in's image: a static binary, a shell and a few tools of this machine, packed without Docker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::program::{USER, layer, libraries, program, read};
use super::write::{self, Config, Entry, Kind};
use super::{Archive, Reference};
use crate::process::Launcher;
use crate::tools::sha256;

/// The first build compiles all of its dependencies.
const BUILD_TIMEOUT: Duration = Duration::from_secs(1200);
/// Changes whenever the layout of the image does.
const LAYOUT: &str = "1";
/// What else than a shell the image has to have, where there is no busybox with all of it.
const PROGRAMS: [&str; 2] = ["sh", "tr"];

/// Builds the image and answers its archive, under all of these names. Nothing is written where the same
/// input has been packed before.
///
/// # Errors
/// Where it does not compile, or a tool that goes into it is missing.
pub async fn build(launcher: &Launcher, program: &str, references: &[Reference]) -> anyhow::Result<Archive> {
    let binary = compile(launcher).await?;
    let mut files = userland(launcher).await?;
    files.insert(program.trim_start_matches('/').to_owned(), Kind::File(0o755, read(&binary.executable)?));
    let entries = layer(files);
    let path = binary.folder.join(format!("stand-in-{}.tar", &digest(&entries, program, references)[..16]));
    if path.is_file() {
        return Ok(Archive { path, references: references.to_vec() });
    }
    let config = Config {
        user: USER.to_owned(),
        entrypoint: vec![program.to_owned()],
        command: vec!["start".to_owned()],
        env: vec!["PATH=/bin".to_owned()],
    };
    let references = references.to_vec();
    let packed = tokio::task::spawn_blocking(move || write::archive(&path, &entries, &config, &references));
    packed.await?.context("packing the stand-in's image")
}

/// What cargo built.
struct Binary {
    executable: PathBuf,
    /// Where archives of it are kept: below cargo's target folder.
    folder: PathBuf,
}

/// Compiles the stand-in as a static binary. With `--target`, cargo keeps this apart from everything else that it
/// builds, and build scripts stay dynamic.
async fn compile(launcher: &Launcher) -> anyhow::Result<Binary> {
    ensure!(cfg!(target_os = "linux"), "the stand-in is built on Linux only: name an image with `--image`");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the harness has no workspace")?;
    let cmd = launcher.cmd(cargo).args(["build", "--package", "standin", "--target", &target]);
    let messages = cmd
        .args(["--message-format", "json-render-diagnostics"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=debuginfo")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(workspace)
        .timeout(BUILD_TIMEOUT)
        .run()
        .await?;
    let executable = executable(&messages).context("cargo built the stand-in but names no executable")?;
    let folder = executable.parent().context("the executable has no folder")?.join("images");
    Ok(Binary { executable, folder })
}

/// The executable in cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable).next_back()
}

/// A shell and the few tools that the chart expects in the image.
async fn userland(launcher: &Launcher) -> anyhow::Result<BTreeMap<String, Kind>> {
    if let Some(busybox) = launcher.find("busybox")
        && libraries(launcher, &busybox).await?.is_empty()
    {
        return busybox_files(launcher, &busybox).await;
    }
    let mut files = BTreeMap::new();
    for name in PROGRAMS {
        let path = launcher.find(name).with_context(|| format!("{name} goes into the image and is not on PATH"))?;
        files.extend(program(launcher, &format!("bin/{name}"), &path).await?);
    }
    Ok(files)
}

/// A static busybox, and a link for everything that it can be.
async fn busybox_files(launcher: &Launcher, busybox: &Path) -> anyhow::Result<BTreeMap<String, Kind>> {
    let applets = launcher.cmd(busybox).arg("--list").run().await?;
    let link = |name: &str| (format!("bin/{name}"), Kind::Symlink("busybox".to_owned()));
    let mut files: BTreeMap<_, _> = applets.lines().filter(|name| *name != "busybox").map(link).collect();
    for name in PROGRAMS {
        ensure!(files.contains_key(&format!("bin/{name}")), "{} has no {name}", busybox.display());
    }
    files.insert("bin/busybox".to_owned(), Kind::File(0o755, read(busybox)?));
    Ok(files)
}

fn digest(entries: &[Entry], program: &str, references: &[Reference]) -> String {
    let lines = entries.iter().map(|Entry { path, kind }| match kind {
        Kind::Folder(mode) => format!("{path} folder {mode}\n"),
        Kind::File(mode, bytes) => format!("{path} file {mode} {}\n", sha256(bytes)),
        Kind::Symlink(target) => format!("{path} link {target}\n"),
    });
    let input: String = std::iter::once(format!("{LAYOUT} {program} {references:?}\n")).chain(lines).collect();
    sha256(input.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n{\"executable\":\"/t/caesium\"}\n{}\n";
        assert_eq!(executable(messages), Some("/t/caesium".into()));
    }
}
