//! The user who runs the harness: root, or one without privileges.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::command::command;
use tempfile::TempDir;

use crate::node_program::node_program;

const XTASK: &str = env!("CARGO_BIN_EXE_chartproof");
/// Each ordinary user has an id that is unused on the machine: everything it owns comes from these tests.
static NEXT_USER: AtomicU32 = AtomicU32::new(61_000);
/// Folders in which programs create files on their own.
const OUTSIDE: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];

/// A user, and the harness where that user may run it.
pub struct Who {
    /// The user to become, unless it is the one who runs the tests.
    pub user: Option<u32>,
    /// The folder in which the harness is installed: a user may have neither checkout nor toolchain.
    installed: TempDir,
}

impl Who {
    /// Returns root, if the tests run as root.
    pub fn root() -> Result<Self, String> {
        let is_root = rustix::process::geteuid().is_root();
        is_root.then(Self::as_is).ok_or_else(|| "these tests don't run as root".to_owned())
    }

    /// Returns a user without privileges: the current one, or a new one if that is root.
    pub fn ordinary() -> Result<Self, String> {
        let who = if rustix::process::geteuid().is_root() { Self::dropped() } else { Self::as_is() };
        let folder = open_folder();
        let tried = who.command(&["unshare", "--user", "true"], folder.path()).stderr_capture().run();
        match tried {
            Ok(output) if output.status.success() => Ok(who),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(format!("an ordinary user gets no user namespace here: {why}"))
            }
            Err(error) => Err(format!("setpriv or unshare of util-linux is missing: {error}")),
        }
    }

    fn as_is() -> Self {
        Self { user: None, installed: installed() }
    }

    fn dropped() -> Self {
        Self { user: Some(NEXT_USER.fetch_add(1, Ordering::Relaxed)), ..Self::as_is() }
    }

    /// Returns the path of a program that this user may run.
    pub fn program(&self, name: &str) -> PathBuf {
        self.installed.path().join(name)
    }

    /// Returns a call of the harness that leaves everything below this folder.
    pub fn xtask(&self, folder: &Path, args: &[&str]) -> duct::Expression {
        self.wrapped(&[], folder, args)
    }

    /// As [`Who::xtask`], started through other programs.
    pub fn wrapped(&self, wrapper: &[&str], folder: &Path, args: &[&str]) -> duct::Expression {
        let own = self.program("chartproof").display().to_string();
        self.command(&[wrapper, &[own.as_str()], args].concat(), folder)
    }

    fn command(&self, words: &[&str], folder: &Path) -> duct::Expression {
        let id = self.user.map(|user| user.to_string());
        let become_them = id.as_ref().map(|id| ["setpriv", "--reuid", id, "--regid", id, "--clear-groups"]);
        let words = [become_them.as_ref().map_or(&[][..], |words| words), words].concat();
        command(words[0], &words[1..]).full_env(environment(folder)).dir(folder).stdin_null().unchecked()
    }

    /// Checks that this user left no files outside the folder. Files of root could belong to anybody.
    #[track_caller]
    pub fn left_nothing_outside(&self, folder: &TempDir) {
        let Some(user) = self.user else { return };
        let entries = OUTSIDE.iter().flat_map(|outside| std::fs::read_dir(outside).into_iter().flatten().flatten());
        let own = entries.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user));
        let left: Vec<PathBuf> = own.map(|entry| entry.path()).filter(|path| path != folder.path()).collect();
        assert!(left.is_empty(), "files outside its folder: {left:?}");
    }
}

/// Returns a folder with the programs that `cargo install` installs.
fn installed() -> TempDir {
    let folder = open_folder();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for program in [XTASK.into(), tokio.block_on(node_program())] {
        std::fs::copy(&program, folder.path().join(program.file_name().unwrap())).unwrap();
    }
    folder
}

fn environment(folder: &Path) -> Vec<(OsString, OsString)> {
    let own = ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"];
    let names = ["home", "tmp", "state", "runtime"];
    let path = ("PATH".into(), std::env::var_os("PATH").unwrap_or_default());
    own.into_iter().zip(names).map(|(own, name)| (own.into(), folder.join(name).into())).chain([path]).collect()
}

/// Returns a folder that everybody may use.
pub fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    open(folder.path());
    for name in ["home", "tmp", "state", "runtime"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        open(&folder.path().join(name));
    }
    folder
}
