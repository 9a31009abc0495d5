//! Allows one run at a time in a folder: two would share a kubeconfig, and use each other's cluster.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use cluster::lease::Owner;
use console::exit::usage;
use report::files::LOCK;

/// Locks the run's folder. The kernel releases the lock when the process ends.
///
/// # Errors
/// A usage error that names the process of another run, if it holds the lock.
pub fn take(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let opened = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path);
    let mut file = opened.with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let who = std::fs::read_to_string(&path).unwrap_or_default();
            let fix = "pass another folder, or wait until that run has ended";
            return Err(usage(format!("--report-dir {}: in use by {}; {fix}", folder.display(), who.trim())));
        }
        // The file system does not support locks: continue without one.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
    }
    let Owner { pid, host, .. } = Owner::this_process();
    let written = file.set_len(0).and_then(|()| writeln!(file, "process {pid} on {host}"));
    // The lock holds even if this can't be written.
    drop(written);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use console::exit::{self, Exit};

    #[test]
    fn a_folder_is_used_by_one_run_whose_process_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let held = take(dir.path()).unwrap();
        let refused = take(dir.path()).unwrap_err();
        assert_eq!(exit::of(&refused), Exit::Usage);
        let whose = format!("--report-dir {}: in use by process {} on ", dir.path().display(), std::process::id());
        assert!(refused.to_string().starts_with(&whose), "{refused}");
        drop(held);
        take(dir.path()).unwrap();
    }
}
