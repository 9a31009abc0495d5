//! Compiles programs of this workspace with cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use super::in_docker;
use process::{Cmd, Launcher};

/// Long, because the first build compiles all dependencies.
const BUILD_TIMEOUT: Duration = Duration::from_secs(1200);

/// Compiles a program of this workspace like `cargo test` and `cargo xtask` do, and returns its path: without `--package`,
/// so that features are resolved for the whole workspace and existing artifacts are reused. Machines that do not run Linux
/// compile it in Docker.
///
/// # Errors
/// If it does not compile, or there is no cargo.
pub(super) async fn compile(launcher: &Launcher, program: &str) -> anyhow::Result<PathBuf> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the harness is not in a workspace")?;
    if !cfg!(target_os = "linux") {
        return in_docker::compile(launcher, workspace, program).await;
    }
    let cargo = cargo(launcher, std::env::var_os("CARGO"), program)?;
    let cmd = launcher.cmd(cargo).args(["build", "--bin", program, "--message-format", "json-render-diagnostics"]);
    // Build scripts depend on the variables that cargo set for our own package, and would run again.
    let inherited = std::env::vars_os().map(|(name, _)| name).filter(|name| is_of_a_package(&name.to_string_lossy()));
    let cmd = inherited.fold(cmd, Cmd::env_remove);
    let messages = cmd.current_dir(workspace).timeout(BUILD_TIMEOUT).run().await?;
    executable(&messages).with_context(|| format!("cargo built {program} but reported no executable"))
}

/// Returns whether this is a variable that cargo sets for the package it runs.
fn is_of_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// Returns the cargo that runs the harness, otherwise the one on PATH.
fn cargo(launcher: &Launcher, ours: Option<OsString>, program: &str) -> anyhow::Result<OsString> {
    ours.or_else(|| launcher.find("cargo").map(OsString::from))
        .with_context(|| format!("{program} can't be compiled: cargo is not on PATH; install Rust, or set CARGO"))
}

/// Returns the executable from cargo's messages, one JSON object per line.
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
    fn the_variables_of_a_package_are_not_passed_on() {
        assert!(is_of_a_package("CARGO_PKG_NAME") && is_of_a_package("CARGO_MANIFEST_DIR"));
        assert!(!is_of_a_package("CARGO_HOME") && !is_of_a_package("CARGO_TARGET_DIR"));
    }

    #[test]
    fn the_error_for_a_missing_cargo_contains_what_to_install() {
        let nowhere = Launcher::light(false).searching("/nonexistent");
        let error = cargo(&nowhere, None, "caesium").unwrap_err().to_string();
        let expected = "caesium can't be compiled: cargo is not on PATH; install Rust, or set CARGO";
        assert_eq!(error, expected);
        assert_eq!(cargo(&nowhere, Some("/rust/cargo".into()), "caesium").unwrap(), "/rust/cargo");
    }
}
