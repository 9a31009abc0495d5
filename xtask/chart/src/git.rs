//! A chart of a git revision, by `git archive`.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::files;
use process::{Cmd, Launcher};

/// A git repository at a revision.
pub(super) struct Repository {
    /// The root of its working tree.
    root: PathBuf,
    /// The folder that was asked for, relative to the root.
    pub(super) folder: PathBuf,
    commit: String,
    /// Its own folder, and the one that its worktrees share.
    own: [PathBuf; 2],
}

impl Repository {
    /// Finds the repository that contains a folder, which need not exist any more, and a revision in it.
    ///
    /// # Errors
    /// If there is no git, no repository or no such revision.
    pub(super) async fn of(launcher: &Launcher, folder: &Path, revision: &str) -> anyhow::Result<Self> {
        if launcher.find("git").is_none() {
            bail!("chart git:{revision} needs git, which is not on PATH; install git");
        }
        let folder = std::path::absolute(folder)?;
        let inside = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(&folder);
        let ask = |what: &str| git(launcher, inside).args(["rev-parse", what]).run();
        let root = ask("--show-toplevel")
            .await
            .with_context(|| format!("chart git:{revision}: {} is not in a git repository", folder.display()))?;
        let prefix = ask("--show-prefix").await?;
        let verify = git(launcher, inside).args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
        let commit = verify.arg(format!("{revision}^{{commit}}")).run().await.with_context(|| {
            format!("chart git:{revision}: the repository has no such revision; is the history complete (`git fetch --unshallow --tags`)?")
        })?;
        let own = [ask("--absolute-git-dir").await?, ask("--git-common-dir").await?];
        Ok(Self {
            root: root.trim().into(),
            folder: Path::new(prefix.trim()).join(folder.strip_prefix(inside)?),
            commit: commit.trim().to_owned(),
            own: own.map(|path| inside.join(path.trim())),
        })
    }

    /// Writes the files of a folder of this revision, relative to the root, to the same place below `into`.
    ///
    /// # Errors
    /// If the revision has no such folder.
    pub(super) async fn put(&self, launcher: &Launcher, folder: &Path, into: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(into)?;
        let tar = std::path::absolute(into)?.join("archive.tar");
        let archive = git(launcher, &self.root).args(["archive", "--format=tar", "--output"]).arg(&tar);
        let archive = archive.arg(&self.commit).arg("--");
        let archive = if folder.as_os_str().is_empty() { archive } else { archive.arg(folder) };
        archive.run().await.with_context(|| {
            format!("{} did not exist at commit {}", folder.display(), &self.commit.get(..12).unwrap_or_default())
        })?;
        files::untar(File::open(&tar)?, into)?;
        std::fs::remove_file(&tar)?;
        Ok(())
    }

    /// Whether this revision has a file or folder.
    pub(super) async fn has(&self, launcher: &Launcher, path: &Path) -> bool {
        let object = format!("{}:{}", self.commit, path.display());
        git(launcher, &self.root).args(["cat-file", "-e", &object]).run().await.is_ok()
    }

    /// Returns the files that change whenever a revision may name another commit.
    pub(super) fn moves_with(&self) -> Vec<PathBuf> {
        let [own, shared] = &self.own;
        let files = [own.join("HEAD"), shared.join("refs"), shared.join("packed-refs")];
        files.into_iter().filter(|path| path.exists()).collect()
    }
}

fn git(launcher: &Launcher, folder: &Path) -> Cmd {
    launcher.cmd("git").arg("-C").arg(folder)
}
