//! Options of writes and of deletions.

use super::apply::managers::Manager;
use super::user::User;

/// What becomes of fields that a client writes and the kind does not have (`fieldValidation`). They are never stored.
#[derive(Debug, Clone, Copy)]
pub enum UnknownFields {
    /// The client does not hear of them.
    Ignored,
    /// The client gets a warning for each.
    Warned,
    /// The write is refused.
    Refused,
}

/// The writer of a change, and its options.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// Whether the cluster itself writes rather than a client of the API: its writes are trusted.
    pub is_internal: bool,
    /// The user who writes, if it is a client.
    pub user: Option<User>,
    /// Whether to skip the write itself.
    pub dry_run: bool,
    /// The subresource that is written, empty for the object itself.
    pub subresource: String,
    /// What becomes of unknown fields in a patched object.
    pub unknown_fields: UnknownFields,
}

impl Writer {
    /// Returns a part of the cluster itself as the writer of an object or a subresource.
    pub fn internal(manager: &str, subresource: &str) -> Self {
        let (manager, subresource) = (manager.to_owned(), subresource.to_owned());
        let unknown_fields = UnknownFields::Ignored;
        Self { manager, is_internal: true, user: None, dry_run: false, subresource, unknown_fields }
    }

    /// Returns the manager as in `managedFields`.
    pub fn manager(&self, operation: &'static str) -> Manager {
        Manager { operation, name: self.manager.clone(), subresource: self.subresource.clone() }
    }
}

/// The options of a deletion (`v1.DeleteOptions`).
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Overrides the pod's own grace period, in seconds; 0 removes it at once.
    pub grace_period_seconds: Option<i64>,
    /// `Background`, `Foreground` or `Orphan`.
    pub propagation_policy: Option<String>,
    /// Fail unless the stored UID is this one.
    pub precondition_uid: Option<String>,
    /// Fail unless the stored resource version is this one.
    pub precondition_resource_version: Option<String>,
    /// Whether to skip the write itself.
    pub dry_run: bool,
}
