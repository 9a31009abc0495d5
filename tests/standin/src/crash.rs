//! Planted faults that end or burden the whole process. Starts are counted in the data directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::faults::{Fault, Faults};
use crate::log;

const STEP_MIB: usize = 32;

/// Starts the planted faults of this kind.
pub fn plant(faults: &Faults, dir: &Path) -> Result<()> {
    if !faults.names().is_empty() {
        log::warn(format_args!("faults planted: {}", faults.names().join(", ")));
    }
    if faults.has(Fault::WriteReadOnlyRoot) {
        write_root()?;
    }
    if let Some(mib) = faults.count(Fault::MemoryHog) {
        tokio::spawn(hog(mib));
    }
    let starts = count_start(faults, dir)?;
    for (fault, starts_max) in [(Fault::CrashLoop, u32::MAX), (Fault::CrashOnce, 1), (Fault::CrashTwice, 2)] {
        if let Some(after) = faults.after(fault).filter(|_| starts <= starts_max) {
            tokio::spawn(crash(fault, after, starts));
        }
    }
    Ok(())
}

fn write_root() -> Result<()> {
    let path = "/caesium-scratch";
    fs::write(path, b"scratch").with_context(|| format!("fault write-read-only-root: {path} can't be written"))?;
    fs::remove_file(path).with_context(|| format!("fault write-read-only-root: {path} can't be removed"))
}

/// Returns how often the process was started on this data directory, including now; counted only if a fault needs it.
fn count_start(faults: &Faults, dir: &Path) -> Result<u32> {
    if !faults.has(Fault::CrashOnce) && !faults.has(Fault::CrashTwice) {
        return Ok(1);
    }
    let path = dir.join("starts");
    let before = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0_u32);
    fs::create_dir_all(dir).and_then(|()| fs::write(&path, format!("{}\n", before + 1))).context("data directory")?;
    Ok(before + 1)
}

async fn crash(fault: Fault, after: Duration, start: u32) {
    tokio::time::sleep(after).await;
    log::error(format_args!("fault {}: crashing with exit 1, {after:?} after start {start}", fault.name()));
    std::process::exit(1);
}

async fn hog(mib: usize) {
    let mut taken = Vec::new();
    while taken.len() * STEP_MIB < mib {
        taken.push(vec![1_u8; STEP_MIB << 20]);
        log::warn(format_args!("fault memory-hog: {} MiB taken", taken.len() * STEP_MIB));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::future::pending::<()>().await;
    drop(taken);
}
