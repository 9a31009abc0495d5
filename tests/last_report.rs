//! The cases of the last `cargo xtask e2e`, for `cargo nextest run`: repeated as long as the tested files are
//! unchanged.

use std::path::Path;

use xtask::replay;

fn main() -> std::process::ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(replay::path());
    replay::run(&std::env::var_os(replay::VARIABLE).map_or(workspace, Into::into))
}
