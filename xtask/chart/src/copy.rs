//! Copies a chart's folder, with the targets of links.

use std::path::Path;

use anyhow::{Context, ensure};

/// No chart has more files than this: then it is the root of a repository.
const FILES_MAX: usize = 20_000;
/// No chart is deeper than this: then a link leads to a folder above it.
const DEPTH_MAX: usize = 40;

/// Copies a folder, with the targets of links, but without git's own folder.
///
/// # Errors
/// If a file can't be copied, or there are too many.
pub(super) fn folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut files_left = FILES_MAX;
    copy(from, to, DEPTH_MAX, &mut files_left).with_context(|| format!("copying {}", from.display()))
}

fn copy(from: &Path, to: &Path, depth_left: usize, files_left: &mut usize) -> anyhow::Result<()> {
    ensure!(depth_left > 0, "{}: folders are nested too deeply; does a link lead to a parent folder?", from.display());
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == ".git" {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target, depth_left - 1, files_left)?;
            continue;
        }
        ensure!(*files_left > 0, "it has more than {FILES_MAX} files; run `helm dependency build` in it yourself");
        *files_left -= 1;
        std::fs::copy(&source, &target).with_context(|| source.display().to_string())?;
    }
    Ok(())
}
