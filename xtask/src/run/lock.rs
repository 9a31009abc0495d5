//! One run at a time in a folder: two would share the kubeconfig, and work on each other's cluster.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use cluster::lease::Owner;
use console::exit::usage;
use report::files::LOCK;

/// Takes the run's folder. The kernel lets go of it when the process is gone, however that went.
///
/// # Errors
/// A usage error where another run has it, with that one's process.
pub fn take(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let opened = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path);
    let mut file = opened.with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let who = std::fs::read_to_string(&path).unwrap_or_default();
            let how = "name another folder, or wait until that run has ended";
            return Err(usage(format!("--report-dir {}: {} uses it: {how}", folder.display(), who.trim())));
        }
        // A file system that knows no locks can't be held against anybody.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
    }
    let Owner { pid, host, .. } = Owner::this_process();
    let written = file.set_len(0).and_then(|()| writeln!(file, "process {pid} on {host}"));
    // Who it is helps a person; the lock is held without.
    drop(written);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use console::exit::{self, Exit};

    #[test]
    fn a_folder_is_one_runs_and_who_has_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let held = take(dir.path()).unwrap();
        let refused = take(dir.path()).unwrap_err();
        assert_eq!(exit::of(&refused), Exit::Usage);
        let whose = format!("--report-dir {}: process {} on ", dir.path().display(), std::process::id());
        assert!(refused.to_string().starts_with(&whose), "{refused}");
        drop(held);
        take(dir.path()).unwrap();
    }
}
