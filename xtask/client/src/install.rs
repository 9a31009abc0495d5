//! Copies this program with its libraries and the loader, for a container of an image that may have none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The program's name.
pub const PROGRAM: &str = "chartproof-client";
/// The loader's name.
pub const LOADER: &str = "loader";

/// Copies this program into a folder, as [`PROGRAM`], with its libraries, and the loader as [`LOADER`].
///
/// # Errors
/// If a file can't be copied.
pub fn install(folder: &Path) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("finding this program")?;
    copy(&program, &folder.join(PROGRAM))?;
    let mapped = fs::read_to_string("/proc/self/maps").context("finding the libraries")?;
    let libraries: BTreeSet<PathBuf> = libraries(&mapped).filter(|library| *library != program).collect();
    let is_loader = |library: &&PathBuf| name(library).starts_with("ld-");
    for library in &libraries {
        copy(library, &folder.join(name(library)))?;
    }
    // A static program needs none: then the "loader" is the program, which ignores the loader's arguments.
    let loader = libraries.iter().find(is_loader).unwrap_or(&program);
    copy(loader, &folder.join(LOADER))
}

/// Returns the files in a process's memory map.
fn libraries(mapped: &str) -> impl Iterator<Item = PathBuf> {
    mapped.lines().filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..])))
}

fn name(library: &Path) -> String {
    library.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copying {} to {}", from.display(), to.display()))
}
