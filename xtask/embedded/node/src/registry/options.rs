//! Who writes and how, and how an object is to be deleted.

use super::apply::managers::Manager;
use super::tokens::Account;

/// Who writes, and how.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// Whether the cluster itself writes, not a client of the API: its writes are trusted.
    pub is_internal: bool,
    /// The service account that writes, where it is one.
    pub account: Option<Account>,
    /// Do all but the write.
    pub dry_run: bool,
    /// The subresource written through, empty for the object itself.
    pub subresource: String,
}

impl Writer {
    /// A part of the cluster itself, which writes the object or a subresource of it.
    pub fn internal(manager: &str, subresource: &str) -> Self {
        let (manager, subresource) = (manager.to_owned(), subresource.to_owned());
        Self { manager, is_internal: true, account: None, dry_run: false, subresource }
    }

    /// The manager as `managedFields` names it.
    pub fn manager(&self, operation: &'static str) -> Manager {
        Manager { operation, name: self.manager.clone(), subresource: self.subresource.clone() }
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
