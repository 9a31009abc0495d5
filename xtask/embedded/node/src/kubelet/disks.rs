//! The disks of claims, in namespaces whose disks can fail: each is a file system of its own on the claim's directory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::{Disk, DiskState};
use embedded::changes::DiskFailure;

/// The disks by the name of their volume. Cheap to clone.
#[derive(Clone, Default)]
pub struct Disks(Arc<Mutex<HashMap<String, Provided>>>);

struct Provided {
    /// Or why there is none.
    disk: Result<Disk, String>,
    has_power: bool,
}

impl Disks {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Provided>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mounts a disk on a volume's directory, unless it has one. Without FUSE it stays a directory.
    ///
    /// # Errors
    /// If the disk has no power, so that nothing can use the volume.
    pub(super) fn provide(&self, volume: &str, directory: &Path) -> Result<(), String> {
        let mut disks = self.locked();
        let provided = disks.entry(volume.to_owned()).or_insert_with(|| {
            let disk =
                Disk::mount(directory).map_err(|error| format!("this machine can't mount a file system: {error}"));
            Provided { disk, has_power: true }
        });
        if let Err(why) = &provided.disk {
            tracing::warn!("the disk of volume {volume} can't fail: {why}");
        }
        if provided.has_power { Ok(()) } else { Err("input/output error: the disk has no power".to_owned()) }
    }

    /// Lets the disks of volumes fail; returns the reason if one can't.
    pub(crate) fn fail(&self, volumes: &[String], failure: DiskFailure) -> Option<String> {
        let mut disks = self.locked();
        for volume in volumes {
            match disks.get(volume).map(|provided| &provided.disk) {
                Some(Ok(_)) => {}
                Some(Err(why)) => return Some(format!("the disk of volume {volume} can't fail: {why}")),
                None => return Some(format!("volume {volume} is a directory of the node's own disk")),
            }
        }
        for (_, provided) in disks.iter_mut().filter(|(volume, _)| volumes.contains(volume)) {
            provided.set(failure);
        }
        None
    }

    /// Lets the disks of volumes work again. Those that had no power have lost what was never synced.
    ///
    /// # Errors
    /// If a file can't be written.
    pub(crate) fn repair(&self, volumes: &[String]) -> std::io::Result<()> {
        let mut disks = self.locked();
        for (_, provided) in disks.iter_mut().filter(|(volume, _)| volumes.contains(volume)) {
            provided.repair()?;
        }
        Ok(())
    }
}

impl Provided {
    fn set(&mut self, failure: DiskFailure) {
        self.has_power = failure != DiskFailure::NoPower;
        if let Ok(disk) = &self.disk {
            disk.set(match failure {
                DiskFailure::Full => DiskState::Full,
                DiskFailure::ReadOnly => DiskState::ReadOnly,
                DiskFailure::NoPower => DiskState::Off,
            });
        }
    }

    fn repair(&mut self) -> std::io::Result<()> {
        let Ok(disk) = &self.disk else { return Ok(()) };
        if !self.has_power {
            let lost = disk.lose_unsynced()?;
            tracing::info!("a disk lost its power: {lost} files were not synced");
        }
        disk.set(DiskState::Works);
        self.has_power = true;
        Ok(())
    }
}
