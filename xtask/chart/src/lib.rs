//! Charts in every form in which people have them, as folders: one that is packaged, pulled or of a git revision is brought
//! here, and one that lacks dependencies is copied and gets them. The user's files stay as they are.
//!
//! It knows helm and git. It must not know suites or clusters.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use self::gather::Gathering;
use self::git::Repository;
use process::Launcher;
use tools::Tool;

mod copy;
mod files;
mod gather;
mod git;
mod source;

pub use source::ChartSource;

/// A chart as a folder.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The folder to render and install.
    pub folder: PathBuf,
    /// Files and folders of the user that it was made from.
    pub inputs: Vec<PathBuf>,
    /// Why it may change although the inputs don't.
    pub doubt: Option<String>,
}

/// Makes a chart into a folder: its own, if it has one and lacks nothing, or one below `into`.
///
/// # Errors
/// If it can't be fetched, or a dependency can't.
pub async fn prepare(launcher: &Launcher, helm: &Tool, source: &ChartSource, into: &Path) -> anyhow::Result<Prepared> {
    match source {
        ChartSource::Folder(folder) => complete(launcher, helm, folder, into).await,
        ChartSource::Archive(archive) => {
            let folder = files::unpack(archive, into)?;
            Ok(Prepared { folder, inputs: vec![archive.clone()], doubt: None })
        }
        ChartSource::Pulled { name, version } => {
            std::fs::create_dir_all(into)?;
            let folder = files::pull(launcher, helm, name, version, into).await;
            let folder = folder.with_context(|| {
                format!("chart {name} {version} could not be pulled; check name, version and `helm repo list`")
            })?;
            let doubt = Some(format!("its chart {name} {version} may have been replaced"));
            Ok(Prepared { folder, inputs: Vec::new(), doubt })
        }
        ChartSource::Git { revision, folder } => {
            let repository = Repository::of(launcher, folder, revision).await?;
            let gathering = Gathering { launcher, helm, repository: Some(&repository), into };
            let made = gathering.chart(&repository.folder).await?;
            ensure!(
                made.join("Chart.yaml").is_file(),
                "{} was no chart at revision {revision}: it had no Chart.yaml",
                folder.display()
            );
            Ok(Prepared { folder: made, inputs: repository.moves_with(), doubt: None })
        }
    }
}

/// Returns a chart's own folder, or a copy with all dependencies if some are missing.
async fn complete(launcher: &Launcher, helm: &Tool, folder: &Path, into: &Path) -> anyhow::Result<Prepared> {
    let as_it_is = Prepared { folder: folder.to_owned(), inputs: vec![folder.to_owned()], doubt: None };
    let repositories = files::repositories(folder)?;
    if repositories.is_empty() || files::missing_dependencies(launcher, helm, folder).await?.is_empty() {
        return Ok(as_it_is);
    }
    let gathering = Gathering { launcher, helm, repository: None, into };
    let made = gathering.chart(&std::path::absolute(folder)?).await?;
    let is_local = |url: &String| url.is_empty() || url.starts_with(gather::LOCAL);
    let is_open = !repositories.iter().all(is_local) && !folder.join("Chart.lock").is_file();
    let doubt = is_open.then(|| format!("{} has no Chart.lock, so its dependencies may change", folder.display()));
    let local = repositories.iter().filter_map(|url| Some(folder.join(url.strip_prefix(gather::LOCAL)?)));
    let inputs = as_it_is.inputs.into_iter().chain(local).collect();
    Ok(Prepared { folder: made, inputs, doubt })
}
