//! The outcomes of the last run, repeated for `cargo nextest run`: only while what it proved is still the same, and
//! nothing that was not proved is ever green.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use serde::{Deserialize, Serialize};

use crate::run::Settings;
use events::{CaseName, Verdict};
use images::UnderTest;
use report::run::{ReportedCase, ReportedRun};
use suite::Suite;
use tools::sha256_of_file;

/// Names the file that is read instead of [`path`].
pub const VARIABLE: &str = "CHARTPROOF_LAST_REPORT";
/// Set by nextest for what it starts.
const NEXTEST: &str = "NEXTEST";
/// Folders within folders, at most; links can make them endless.
const DEPTH_MAX: usize = 32;
/// The harness's own sources; an installed one has none.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A run as it is kept to be repeated.
#[derive(Debug, Serialize, Deserialize)]
pub struct Last {
    /// Names the run.
    pub run_id: String,
    /// The run's directory.
    pub folder: PathBuf,
    /// What it proved something of.
    pub inputs: Inputs,
    /// What came of its cases.
    pub cases: Vec<(CaseName, Verdict)>,
}

/// Everything that a verdict depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Why nobody can tell whether they are the same.
    pub doubt: Option<String>,
    /// Folders and files, whose content counts: of charts all of it, also behind links.
    pub roots: Vec<PathBuf>,
    /// Folders and files of the harness's own, without what is hidden or built.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// The digest of every file.
    pub files: BTreeMap<PathBuf, String>,
}

/// Where the last run is kept, below the folder that e2e is started in.
pub fn path() -> PathBuf {
    Path::new("target/chartproof/last.json").to_owned()
}

impl Inputs {
    /// Those of a run of these suites.
    ///
    /// # Errors
    /// Where a file can't be read.
    pub fn of<'a>(
        suites: impl IntoIterator<Item = &'a Suite>,
        settings: &Settings,
        image: &UnderTest,
    ) -> anyhow::Result<Self> {
        let mut roots = Vec::new();
        for suite in suites {
            roots.extend(suite.charts());
            roots.extend(suite.values_files());
            // The suite file and what else stands beside it; not whatever is below, which may be a whole repository.
            roots.extend(entries(&suite.folder)?.into_iter().filter(|entry| entry.is_file()));
        }
        if let UnderTest::Archive(archive) = image {
            roots.push(archive.path.clone());
        }
        roots.extend(settings.values.iter().cloned());
        let own = ["xtask", "tests/standin", "Cargo.toml", "Cargo.lock"].map(|name| Path::new(SOURCES).join(name));
        let sources = own.into_iter().filter_map(|source| source.canonicalize().ok()).collect();
        // Not resolved further: a link may lead somewhere else tomorrow.
        let roots = roots.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
        Self { doubt: doubt(settings, image), roots, sources, files: BTreeMap::new() }.read()
    }

    /// The same with the files as they are now.
    fn read(self) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        for root in &self.roots {
            digests(root, &|_| true, DEPTH_MAX, &mut files)?;
        }
        for source in &self.sources {
            digests(source, &is_source, DEPTH_MAX, &mut files)?;
        }
        Ok(Self { files, ..self })
    }

    /// Why these are not the same any more.
    fn changed(&self) -> Option<String> {
        if self.doubt.is_some() {
            return self.doubt.clone();
        }
        let now = match self.clone().read() {
            Ok(now) => now.files,
            Err(error) => return Some(format!("{error:#}")),
        };
        let changed = |(path, digest): &(&PathBuf, &String)| now.get(*path) != Some(*digest);
        let gone = self.files.iter().find(changed).map(|(path, _)| path);
        let new = now.keys().find(|path| !self.files.contains_key(*path));
        gone.or(new).map(|path| format!("{} has changed since", path.display()))
    }
}

/// What a run was given that nextest is not, or that can change without its name changing.
fn doubt(settings: &Settings, image: &UnderTest) -> Option<String> {
    if !settings.set.is_empty() || !settings.values.is_empty() {
        return Some("it was given values of its own, with --set or --values".to_owned());
    }
    match image {
        UnderTest::Reference(reference) if reference.digest.is_none() => {
            Some(format!("the image {reference} is not named by its digest, and may be another one by now"))
        }
        _ => None,
    }
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<_>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    read().with_context(|| format!("reading {}", folder.display()))
}

/// The digests of a file, or of all files of a folder that are wanted. What a link leads to counts as if it stood there.
fn digests(
    path: &Path,
    is_wanted: &impl Fn(&Path) -> bool,
    depth_left: usize,
    files: &mut BTreeMap<PathBuf, String>,
) -> anyhow::Result<()> {
    ensure!(
        depth_left > 0,
        "{}: folders within folders without end, as a link to one above makes them",
        path.display()
    );
    if path.is_dir() {
        for entry in entries(path)?.into_iter().filter(|entry| is_wanted(entry)) {
            digests(&entry, is_wanted, depth_left - 1, files)?;
        }
        return Ok(());
    }
    let digest = sha256_of_file(path).with_context(|| format!("reading {}", path.display()))?;
    files.insert(path.to_owned(), digest);
    Ok(())
}

/// Neither hidden nor built.
fn is_source(path: &Path) -> bool {
    path.file_name().is_none_or(|name| !name.to_string_lossy().starts_with('.') && name != "target")
}

impl Last {
    /// Keeps a run.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write(run: &ReportedRun, folder: &Path, inputs: Inputs, to: &Path) -> anyhow::Result<()> {
        let cut_short = || Verdict::Failed { message: "it has no verdict".to_owned() };
        let verdict = |case: &ReportedCase| case.end.map_or_else(cut_short, |(_, verdict)| verdict.clone());
        let cases = run.cases.iter().map(|case| (case.name.to_owned(), verdict(case))).collect();
        let last = Self { run_id: run.run_id.to_owned(), folder: folder.to_owned(), inputs, cases };
        report::write(to, &serde_json::to_string(&last)?)
    }

    /// The cases, each as it ended; a single red one where that says nothing of what is there now.
    fn trials(self) -> Vec<Trial> {
        if let Some(why) = self.inputs.changed() {
            let again = "`cargo xtask e2e` proves it again, then there is something to repeat";
            let told = format!("run {} proved something else: {why}; {again}", self.run_id);
            return vec![Trial::test("the_last_run_is_of_what_is_there_now", || Err(Failed::from(told)))];
        }
        let folder = self.folder.display().to_string();
        let trial = |(case, verdict): (CaseName, Verdict)| {
            // nextest shows these as skipped.
            let is_ignored = matches!(verdict, Verdict::NotApplicable { .. });
            let told = match verdict {
                Verdict::Passed { .. } | Verdict::NotApplicable { .. } => Ok(()),
                Verdict::Failed { message } => Err(format!("{message}\nrun {}, in {folder}", self.run_id)),
                // nextest shows a case that is ignored at run time as passed.
                Verdict::NotRun { blocked_by } => {
                    Err(format!("not run: {blocked_by}\nrun {}, in {folder}", self.run_id))
                }
            };
            Trial::test(case, || told.map_err(Failed::from)).with_ignored_flag(is_ignored)
        };
        self.cases.into_iter().map(trial).collect()
    }
}

/// Lists and repeats what is kept in a file, as nextest asks for it; nothing where there is no file. `cargo test`, which
/// has tests of its own, is told nothing.
pub fn run(file: &Path) -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let kept = std::fs::read_to_string(file).ok().filter(|_| std::env::var_os(NEXTEST).is_some());
    let trials = kept.map_or_else(Vec::new, |text| match serde_json::from_str::<Last>(&text) {
        Ok(last) => last.trials(),
        Err(error) => {
            let told = format!("{}: {error}; `cargo xtask e2e` writes it anew", file.display());
            vec![Trial::test("the_last_run_can_be_read", || Err(Failed::from(told)))]
        }
    });
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
