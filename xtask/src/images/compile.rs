//! Compiles programs of this workspace so that they run in any image.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::process::Launcher;

/// The first build compiles all of its dependencies.
const BUILD_TIMEOUT: Duration = Duration::from_secs(1200);

/// What cargo built.
pub(super) struct Binary {
    /// The program.
    pub executable: PathBuf,
    /// Where archives of it are kept: below cargo's target folder.
    pub folder: PathBuf,
}

/// Compiles a package of this workspace that has one program, as a static binary. With `--target`, cargo keeps this apart
/// from everything else that it builds, and build scripts stay dynamic.
///
/// # Errors
/// Where it does not compile, or there is no cargo.
pub(super) async fn compile(launcher: &Launcher, package: &str) -> anyhow::Result<Binary> {
    ensure!(cfg!(target_os = "linux"), "{package} is built on Linux only");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = cargo(launcher, std::env::var_os("CARGO"), package)?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the harness has no workspace")?;
    let cmd = launcher.cmd(cargo).args(["build", "--package", package, "--target", &target]);
    let messages = cmd
        .args(["--message-format", "json-render-diagnostics"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=debuginfo")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(workspace)
        .timeout(BUILD_TIMEOUT)
        .run()
        .await?;
    let executable = executable(&messages).with_context(|| format!("cargo built {package} but names no executable"))?;
    let folder = executable.parent().context("the executable has no folder")?.join("images");
    Ok(Binary { executable, folder })
}

/// The cargo that runs us, else the one on PATH.
fn cargo(launcher: &Launcher, ours: Option<OsString>, package: &str) -> anyhow::Result<OsString> {
    ours.or_else(|| launcher.find("cargo").map(OsString::from)).with_context(|| {
        format!("{package} is compiled from this workspace, and there is no cargo on PATH: install Rust, or set CARGO")
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
    fn without_cargo_it_is_said_what_to_install() {
        let nowhere = Launcher::light(false).searching("/nonexistent");
        let error = cargo(&nowhere, None, "client").unwrap_err().to_string();
        let told = "client is compiled from this workspace, and there is no cargo on PATH: install Rust, or set CARGO";
        assert_eq!(error, told);
        assert_eq!(cargo(&nowhere, Some("/rust/cargo".into()), "client").unwrap(), "/rust/cargo");
    }
}
