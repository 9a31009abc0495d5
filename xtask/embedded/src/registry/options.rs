//! Who writes and how, and how an object is to be deleted.

use super::apply::managers::Manager;

/// Who writes, and how.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    /// The field manager; none for the cluster's own controllers, whose writes are trusted and own nothing.
    pub manager: Option<String>,
    /// Do all but the write.
    pub dry_run: bool,
    /// The subresource written through, empty for the object itself.
    pub subresource: String,
}

impl Writer {
    /// Whether the cluster itself writes, not a client of the API.
    pub fn is_internal(&self) -> bool {
        self.manager.is_none()
    }

    /// The manager as `managedFields` names it.
    pub fn manager(&self, operation: &'static str) -> Option<Manager> {
        let name = self.manager.clone()?;
        Some(Manager { operation, name, subresource: self.subresource.clone() })
    }
}

/// How an object is to be deleted (`v1.DeleteOptions`).
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Overrides the pod's own grace, in seconds; 0 removes at once.
    pub grace_period_seconds: Option<i64>,
    /// `Background`, `Foreground` or `Orphan`.
    pub propagation_policy: Option<String>,
    /// Refuse unless the stored UID is this one.
    pub precondition_uid: Option<String>,
    /// Refuse unless the stored resource version is this one.
    pub precondition_resource_version: Option<String>,
    /// Do all but the write.
    pub dry_run: bool,
}
