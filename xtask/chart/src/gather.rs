//! Brings a chart and the charts beside it that it needs into one folder, at the same places relative to each other, and
//! builds the dependencies that are missing.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

use super::git::Repository;
use super::{copy, files};
use process::Launcher;
use tools::Tool;

/// What the repository of a dependency begins with if it is a folder.
pub(super) const LOCAL: &str = "file://";

/// A chart that is being brought here.
pub(super) struct Gathering<'a> {
    pub(super) launcher: &'a Launcher,
    pub(super) helm: &'a Tool,
    /// The repository at the revision that the chart is of; none for the files as they are.
    pub(super) repository: Option<&'a Repository>,
    /// The folder to bring it to.
    pub(super) into: &'a Path,
}

impl Gathering<'_> {
    /// Brings the chart of a folder here: an absolute one, or one of the repository. Returns its new folder.
    ///
    /// # Errors
    /// If a file can't be read, or a dependency can't be built.
    pub(super) async fn chart(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        self.bring(&normal(folder), &mut BTreeSet::new()).await?;
        Ok(self.place_of(&normal(folder)))
    }

    /// Dependencies come first, since helm packages them as they are.
    async fn bring(&self, folder: &Path, done: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
        if !done.insert(folder.to_owned()) {
            return Ok(());
        }
        let here = self.place_of(folder);
        match self.repository {
            Some(repository) => repository.put(self.launcher, folder, self.into).await?,
            None => copy::folder(folder, &here)?,
        }
        if let Some(repository) = self.repository {
            for target in broken_links(&here, folder) {
                // A link may be broken in the revision, too; whether that matters is for helm to say.
                if repository.has(self.launcher, &target).await {
                    Box::pin(self.bring(&target, done)).await?;
                }
            }
        }
        let repositories = files::repositories(&here)?;
        let beside = repositories.iter().filter_map(|url| url.strip_prefix(LOCAL));
        for other in beside.filter(|other| !other.starts_with('/')) {
            Box::pin(self.bring(&normal(&folder.join(other)), done)).await?;
        }
        if repositories.is_empty() || files::missing_dependencies(self.launcher, self.helm, &here).await?.is_empty() {
            return Ok(());
        }
        let scratch = self.into.join("helm");
        let built = files::build_dependencies(self.launcher, self.helm, &here, &scratch).await;
        built.with_context(|| format!("the dependencies of {} could not be built", folder.display()))
    }

    fn place_of(&self, folder: &Path) -> PathBuf {
        self.into.join(folder.strip_prefix("/").unwrap_or(folder))
    }
}

/// Returns what the links in a folder lead to, as far as it is not here.
fn broken_links(here: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(here).into_iter().flatten().filter_map(Result::ok) {
        let (path, inside) = (entry.path(), folder.join(entry.file_name()));
        if path.is_symlink() {
            let target = std::fs::read_link(&path).ok().filter(|target| !path.exists() && target.is_relative());
            found.extend(target.map(|target| normal(&folder.join(target))));
        } else if path.is_dir() {
            found.extend(broken_links(&path, &inside));
        }
    }
    found
}

/// Removes `.` and `..` from a path.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}
