//! The data of a `db`: records, and the migrations that ran. Stored in a single file, which is always replaced
//! completely.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::files;

/// The content.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Content {
    /// By their keys.
    pub records: BTreeMap<String, String>,
    /// Names of migrations, and how often each was requested.
    pub migrations: BTreeMap<String, u32>,
}

/// The content and its file.
#[derive(Debug)]
pub struct Records {
    content: Mutex<Content>,
    path: Option<PathBuf>,
}

impl Records {
    /// Opens the file in a directory; without a directory, everything is lost at the end.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        let path = dir.map(|dir| dir.join("records.json"));
        let content = match &path {
            Some(path) => files::read(path).with_context(|| format!("{} can't be read", path.display()))?,
            None => None,
        };
        let content = content.map(|content| serde_json::from_slice(&content)).transpose();
        let content = content.with_context(|| format!("{path:?} is damaged"))?.unwrap_or_default();
        Ok(Self { content: Mutex::new(content), path })
    }

    /// Reads the content.
    pub fn read<T>(&self, read: impl FnOnce(&Content) -> T) -> T {
        read(&self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the content; the change is on disk when this returns. If it can't be stored, nothing changes.
    pub fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> Result<T> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = content.clone();
        let result = change(&mut changed);
        if let Some(path) = &self.path {
            let json = serde_json::to_vec(&changed)?;
            tokio::task::block_in_place(|| files::replace(path, &json))
                .with_context(|| format!("{} can't be written", path.display()))?;
        }
        *content = changed;
        Ok(result)
    }
}
