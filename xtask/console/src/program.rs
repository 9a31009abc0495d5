//! How this program was started: by cargo in the workspace, or as an installed command.

use std::path::{Path, PathBuf};

/// The file that cargo keeps in each folder into which it builds programs.
const CARGOS: &str = ".cargo-lock";

/// Returns the folder of this program if it is installed, or `None` if cargo built it where it is.
pub fn installed() -> Option<PathBuf> {
    installed_at(&std::env::current_exe().ok()?)
}

/// Returns how users call this program: `cargo xtask`, or `chartproof` if it is installed.
pub fn command() -> &'static str {
    if installed().is_some() { "chartproof" } else { "cargo xtask" }
}

/// Cargo keeps tests in a folder below that of the programs.
fn installed_at(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let is_cargos = folder.ancestors().take(2).any(|folder| folder.join(CARGOS).is_file());
    (!is_cargos).then(|| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_installed_unless_cargo_built_it_there() {
        assert_eq!((installed(), command()), (None, "cargo xtask"));
        let built = std::env::current_exe().unwrap();
        let target = built.ancestors().nth(2).unwrap();
        assert_eq!(installed_at(&target.join("chartproof")), None);
        let elsewhere = Path::new("/opt/bin/chartproof");
        assert_eq!(installed_at(elsewhere), Some("/opt/bin".into()));
    }
}
