//! Who runs the harness: root, or a user who may do nothing.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// `nobody`.
const USER: &str = "65534";
const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// A user, and the harness where that user may run it.
pub struct Who {
    setpriv: bool,
    xtask: PathBuf,
    _copy: Option<TempDir>,
}

/// Runs a test as root; where the tests run as somebody else, it is that one's who runs as an ordinary user.
pub fn as_root(test: fn(&Who)) {
    if rustix::process::geteuid().is_root() {
        test(&Who { setpriv: false, xtask: XTASK.into(), _copy: None });
    } else {
        eprintln!("not run: these tests don't run as root");
    }
}

impl Who {
    /// A user without rights: this one, or nobody where this one is root.
    pub fn ordinary() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self { setpriv: false, xtask: XTASK.into(), _copy: None };
        }
        // The checkout may be closed to others.
        let folder = open_folder();
        let xtask = folder.path().join("xtask");
        std::fs::copy(XTASK, &xtask).unwrap();
        Self { setpriv: true, xtask, _copy: Some(folder) }
    }

    /// A call of the harness that leaves everything below this folder.
    pub fn xtask(&self, folder: &Path, args: &[&str]) -> duct::Expression {
        let own = self.xtask.display().to_string();
        let groups = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"];
        let words = if self.setpriv { &groups[..] } else { &[] };
        let words: Vec<&str> = words.iter().copied().chain([own.as_str()]).chain(args.iter().copied()).collect();
        let environment = self.environment(folder);
        duct::cmd(words[0], &words[1..]).full_env(environment).dir(folder).stdin_null().unchecked()
    }

    fn environment(&self, folder: &Path) -> Vec<(OsString, OsString)> {
        let own = ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"];
        let names = ["home", "tmp", "state", "runtime"];
        let path = ("PATH".into(), std::env::var_os("PATH").unwrap_or_default());
        own.into_iter().zip(names).map(|(own, name)| (own.into(), folder.join(name).into())).chain([path]).collect()
    }
}

/// A folder that everybody may use.
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
