//! The programs of this workspace that a run needs besides itself: those in images, and the embedded node. In the workspace
//! cargo compiles them; an installed harness has them in its own folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::compile::compile;
use console::program::installed;
use process::Launcher;

/// A program on this machine.
pub struct Program {
    /// The program.
    pub executable: PathBuf,
    /// The folder for archives with it.
    pub archives: PathBuf,
}

/// Returns a program: compiled if its sources have changed, or the installed one.
///
/// # Errors
/// If it does not compile, or is not installed.
pub async fn program(launcher: &Launcher, name: &str) -> anyhow::Result<Program> {
    match installed() {
        None => {
            let executable = compile(launcher, name).await?;
            let archives = executable.parent().context("the executable has no folder")?.join("images");
            Ok(Program { executable, archives })
        }
        Some(folder) => with_cache(beside(&folder, name)?),
    }
}

/// Returns the installed program with this name, or this program itself in its place; none in the workspace.
///
/// # Errors
/// If there is no cache folder.
pub(super) fn beside_or_this(name: &str) -> anyhow::Result<Option<Program>> {
    let Some(folder) = installed() else { return Ok(None) };
    let this = |missing| {
        if cfg!(target_os = "linux") {
            return std::env::current_exe().context("finding this program");
        }
        Err(missing).context("the cluster's nodes run Linux; the release archive for this machine has it")
    };
    with_cache(beside(&folder, name).or_else(this)?).map(Some)
}

/// Returns why an installed harness can't start a program, or `None` if it can.
pub fn missing(name: &str) -> Option<String> {
    let folder = installed()?;
    beside(&folder, name).err().map(|error| error.to_string())
}

fn with_cache(executable: PathBuf) -> anyhow::Result<Program> {
    Ok(Program { executable, archives: tools::cache_folder()?.join("images") })
}

fn beside(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    ensure!(path.is_file(), "{name} is not installed in {}, next to chartproof", folder.display());
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_folder_of_the_installed_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = beside(folder.path(), "embedded-node").unwrap_err().to_string();
        let expected = format!("embedded-node is not installed in {}, next to chartproof", folder.path().display());
        assert_eq!(error, expected);
        std::fs::write(folder.path().join("embedded-node"), "").unwrap();
        assert_eq!(beside(folder.path(), "embedded-node").unwrap(), folder.path().join("embedded-node"));
    }
}
