//! Builds the stand-in's image without Docker: the program, a shell and a few tools of this machine, each with the
//! libraries that it needs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};

use super::program::{Image, libraries, program};
use super::programs;
use super::write::EntryKind;
use super::{Archive, Reference};
use process::Launcher;

/// Changes whenever the layout of the image does.
const LAYOUT: &str = "1";
/// The tools that go into the image if there is no busybox.
const PROGRAMS: [&str; 2] = ["sh", "tr"];

/// Builds the image and returns its archive, with all of these references. Nothing is written if the same input has
/// been packed before.
///
/// # Errors
/// If it does not compile, or a tool that goes into it is missing.
pub async fn build(launcher: &Launcher, program: &str, references: &[Reference]) -> anyhow::Result<Archive> {
    let binary = programs::program(launcher, "caesium").await?;
    let mut files = userland(launcher).await?;
    files.extend(super::program::program(launcher, program.trim_start_matches('/'), &binary.executable, &[]).await?);
    let image = Image::new(files, program, &["start"]);
    let digest = image.digest(&format!("{LAYOUT} {program} {references:?}"))?;
    let path = binary.archives.join(format!("stand-in-{digest}.tar"));
    if path.is_file() {
        return Ok(Archive { path, references: references.to_vec() });
    }
    image.pack(&path, references).await.context("packing the stand-in's image")
}

/// Returns a shell and the few tools that the chart expects in the image.
async fn userland(launcher: &Launcher) -> anyhow::Result<BTreeMap<String, EntryKind>> {
    if !cfg!(target_os = "linux") {
        let busybox = programs::program(launcher, "busybox").await?.executable;
        return Ok(links(&busybox, &PROGRAMS));
    }
    if let Some(busybox) = launcher.find("busybox")
        && libraries(launcher, &busybox, &[]).await?.is_empty()
    {
        return busybox_files(launcher, &busybox).await;
    }
    let mut files = BTreeMap::new();
    for name in PROGRAMS {
        let path = launcher
            .find(name)
            .with_context(|| format!("{name}, which goes into the stand-in's image, is not on PATH; install it"))?;
        files.extend(program(launcher, &format!("bin/{name}"), &path, &[]).await?);
    }
    Ok(files)
}

/// Returns a static busybox, and a link for each of its applets.
async fn busybox_files(launcher: &Launcher, busybox: &Path) -> anyhow::Result<BTreeMap<String, EntryKind>> {
    let applets = launcher.cmd(busybox).arg("--list").run().await?;
    let applets: Vec<_> = applets.lines().filter(|name| *name != "busybox").collect();
    for name in PROGRAMS {
        ensure!(applets.contains(&name), "{} has no {name}", busybox.display());
    }
    Ok(links(busybox, &applets))
}

/// Returns busybox, and a link for each of these applets.
fn links(busybox: &Path, applets: &[&str]) -> BTreeMap<String, EntryKind> {
    let link = |name: &&str| (format!("bin/{name}"), EntryKind::Symlink("busybox".to_owned()));
    let program = ("bin/busybox".to_owned(), EntryKind::Program(busybox.to_owned()));
    applets.iter().map(link).chain([program]).collect()
}
