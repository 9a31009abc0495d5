//! Where a chart comes from: a folder, an archive, a registry, a repository or a git revision.

use std::fmt;
use std::path::{Path, PathBuf};

/// What `chart` begins with for a git revision.
const GIT: &str = "git:";
/// What `chart` begins with for a chart in a registry.
const OCI: &str = "oci://";
/// The ending of a packaged chart.
const ARCHIVE: &str = ".tgz";

/// The source of a chart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChartSource {
    /// A folder.
    Folder(PathBuf),
    /// A packaged chart, `name-1.2.3.tgz`.
    Archive(PathBuf),
    /// A chart to pull: `oci://…`, or `repo/name` of a repository that helm knows.
    Pulled {
        /// Its name, as `helm pull` takes it.
        name: String,
        /// Its version.
        version: String,
    },
    /// A folder at a revision of the git repository that contains it.
    Git {
        /// The revision, such as `HEAD~1` or `v1.2.0`.
        revision: String,
        /// The folder as it is today; it need not exist any more.
        folder: PathBuf,
    },
}

impl Default for ChartSource {
    fn default() -> Self {
        Self::Folder(PathBuf::new())
    }
}

impl fmt::Display for ChartSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) | Self::Archive(path) => write!(f, "{}", path.display()),
            Self::Pulled { name, version } => write!(f, "{name} {version}"),
            Self::Git { revision, folder } => write!(f, "{GIT}{revision}:{}", folder.display()),
        }
    }
}

impl ChartSource {
    /// Returns the source that `chart` and `version` of a suite file name. Paths are relative to `base`; a git revision
    /// without a folder is one of `own`.
    ///
    /// # Errors
    /// If they contradict each other, with what to write instead.
    pub fn of(chart: &str, version: Option<&str>, base: &Path, own: &Path) -> Result<Self, String> {
        let source = if let Some(revision) = chart.strip_prefix(GIT) {
            Self::of_git(revision, base, own)?
        } else if chart.starts_with(OCI) || (version.is_some() && !chart.ends_with(ARCHIVE)) {
            return Self::of_pulled(chart, version);
        } else if chart.contains("://") {
            return Err(format!(
                "`{chart}` is not supported: write `oci://…`, or `repo/name` after `helm repo add repo URL`"
            ));
        } else if chart.ends_with(ARCHIVE) {
            Self::Archive(clean(&base.join(chart)))
        } else {
            Self::Folder(clean(&base.join(chart)))
        };
        match version {
            None => Ok(source),
            Some(version) => Err(format!("`version = {version:?}` has no meaning for {source}: remove `version`")),
        }
    }

    fn of_git(text: &str, base: &Path, own: &Path) -> Result<Self, String> {
        // A revision contains no colon.
        let (revision, folder) = match text.split_once(':') {
            Some((revision, folder)) => (revision, clean(&base.join(folder))),
            None => (text, own.to_owned()),
        };
        if revision.is_empty() || revision.starts_with('-') {
            return Err(format!("`{GIT}{text}` names no revision: write for example `git:HEAD~1` or `git:v1.2.0`"));
        }
        Ok(Self::Git { revision: revision.to_owned(), folder })
    }

    fn of_pulled(chart: &str, version: Option<&str>) -> Result<Self, String> {
        let Some(version) = version else {
            return Err(format!("`{chart}` without a version is another chart every day: add `version = \"1.2.3\"`"));
        };
        let is_named = chart.split('/').count() == 2 && !chart.starts_with(['.', '/']) && !chart.ends_with('/');
        if !chart.starts_with(OCI) && !is_named {
            return Err(format!("`{chart}` with a `version` is not `repo/name` or `oci://…`: write one, or remove it"));
        }
        Ok(Self::Pulled { name: chart.to_owned(), version: version.to_owned() })
    }

    /// Returns the folder that the chart is read from as it is, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Archive(_) | Self::Pulled { .. } | Self::Git { .. } => None,
        }
    }
}

/// Removes the `.` components that come from relative paths in the suite file.
fn clean(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(chart: &str, version: Option<&str>) -> Result<ChartSource, String> {
        ChartSource::of(chart, version, Path::new("helm/web"), Path::new("helm/web"))
    }

    #[test]
    fn every_form_names_its_source() {
        assert_eq!(of(".", None).unwrap(), ChartSource::Folder("helm/web".into()));
        assert_eq!(of("../db", None).unwrap(), ChartSource::Folder("helm/web/../db".into()));
        assert_eq!(of("web-1.2.3.tgz", None).unwrap(), ChartSource::Archive("helm/web/web-1.2.3.tgz".into()));
        for name in ["oci://registry.example/charts/web", "bitnami/redis"] {
            let pulled = ChartSource::Pulled { name: name.to_owned(), version: "1.2.3".to_owned() };
            assert_eq!(of(name, Some("1.2.3")).unwrap(), pulled);
        }
        let git = |revision: &str, folder: &str| ChartSource::Git { revision: revision.into(), folder: folder.into() };
        assert_eq!(of("git:HEAD~1", None).unwrap(), git("HEAD~1", "helm/web"));
        assert_eq!(of("git:v1.2.0:../db", None).unwrap(), git("v1.2.0", "helm/web/../db"));
    }

    #[test]
    fn contradictions_are_reported_with_what_to_write() {
        let refused = |chart: &str, version: Option<&str>| of(chart, version).unwrap_err();
        assert!(refused("oci://registry.example/web", None).ends_with("add `version = \"1.2.3\"`"));
        assert!(refused("git:v1", Some("1")).ends_with("remove `version`"));
        assert!(refused("web-1.tgz", Some("1")).ends_with("remove `version`"));
        assert!(refused("../db", Some("1")).contains("is not `repo/name` or `oci://…`"));
        assert!(refused("git:", None).contains("names no revision"));
        assert!(refused("git:--output=x", None).contains("names no revision"));
        assert!(refused("https://charts.example/web.tgz", None).contains("`helm repo add repo URL`"));
    }
}
