//! Compiles programs of this workspace: those that go into images, and the embedded node.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

use process::{Cmd, Launcher};

/// The first build compiles all of its dependencies.
const BUILD_TIMEOUT: Duration = Duration::from_secs(1200);

/// What cargo built.
pub struct Binary {
    /// The program.
    pub executable: PathBuf,
    /// Where archives of it are kept: below cargo's target folder.
    pub folder: PathBuf,
}

/// Compiles a program of this workspace, as `cargo test` and `cargo xtask` do: without a package, so that all of the
/// workspace's settle the features, and what they compiled is used again.
///
/// # Errors
/// Where it does not compile, or there is no cargo.
pub async fn compile(launcher: &Launcher, program: &str) -> anyhow::Result<Binary> {
    ensure!(cfg!(target_os = "linux"), "{program} is built on Linux only");
    let cargo = cargo(launcher, std::env::var_os("CARGO"), program)?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the harness has no workspace")?;
    let cmd = launcher.cmd(cargo).args(["build", "--bin", program, "--message-format", "json-render-diagnostics"]);
    // Build scripts look at what cargo told us of our own package, and would run again.
    let told = std::env::vars_os().map(|(name, _)| name).filter(|name| is_of_a_package(&name.to_string_lossy()));
    let cmd = told.fold(cmd, Cmd::env_remove);
    let messages = cmd.current_dir(workspace).timeout(BUILD_TIMEOUT).run().await?;
    let executable = executable(&messages).with_context(|| format!("cargo built {program} but names no executable"))?;
    let folder = executable.parent().context("the executable has no folder")?.join("images");
    Ok(Binary { executable, folder })
}

/// Whether cargo sets this variable for what it runs, from the package that it belongs to.
fn is_of_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// The cargo that runs us, else the one on PATH.
fn cargo(launcher: &Launcher, ours: Option<OsString>, program: &str) -> anyhow::Result<OsString> {
    ours.or_else(|| launcher.find("cargo").map(OsString::from)).with_context(|| {
        format!("{program} is compiled from this workspace, and there is no cargo on PATH: install Rust, or set CARGO")
    })
}

/// The executable in cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n{\"executable\":\"/t/caesium\"}\n{}\n";
        assert_eq!(executable(messages), Some("/t/caesium".into()));
    }

    #[test]
    fn what_cargo_says_of_a_package_is_not_handed_on() {
        assert!(is_of_a_package("CARGO_PKG_NAME") && is_of_a_package("CARGO_MANIFEST_DIR"));
        assert!(!is_of_a_package("CARGO_HOME") && !is_of_a_package("CARGO_TARGET_DIR"));
    }

    #[test]
    fn without_cargo_it_is_said_what_to_install() {
        let nowhere = Launcher::light(false).searching("/nonexistent");
        let error = cargo(&nowhere, None, "caesium").unwrap_err().to_string();
        let told = "caesium is compiled from this workspace, and there is no cargo on PATH: install Rust, or set CARGO";
        assert_eq!(error, told);
        assert_eq!(cargo(&nowhere, Some("/rust/cargo".into()), "caesium").unwrap(), "/rust/cargo");
    }
}
