//! Rows of applications from Debian's packages, whose images are made once.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::matrix::Row;
use crate::package::application;

/// Whether the row's suite is of such an application.
pub fn has(row: &Row) -> bool {
    application(&row.suite).is_some()
}

/// Returns why the application is not available on this machine, which is a failure in CI.
pub fn missing(row: &Row) -> Option<String> {
    static ASKED: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());
    let application = application(&row.suite)?;
    let ask = || {
        let missing = application.missing().filter(|_| std::env::var_os("CI").is_none());
        if let Some(why) = &missing {
            drop(writeln!(std::io::stderr(), "{} can't be tested here: {why}", row.suite));
        }
        missing
    };
    ASKED.lock().unwrap().entry(row.suite.clone()).or_insert_with(ask).clone()
}

/// The images of applications that were needed so far, until the last copy is dropped.
#[derive(Clone, Default)]
pub struct Images(Arc<Mutex<BTreeMap<String, (TempDir, PathBuf)>>>);

impl Images {
    /// Returns the archive of the application's image, or `None` if the row needs no such image.
    pub fn archive(&self, row: &Row) -> Option<PathBuf> {
        let application = application(&row.suite)?;
        let make = || {
            let folder = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let archive = runtime.block_on(application.image(folder.path()));
            (folder, archive.path)
        };
        Some(self.0.lock().unwrap().entry(row.suite.clone()).or_insert_with(make).1.clone())
    }
}
