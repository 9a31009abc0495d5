//! Shows the verdicts of the last run in `cargo nextest run`, as long as nothing that the run tested has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use serde::{Deserialize, Serialize};

use crate::charts::Charts;
use crate::run::Settings;
use events::{CaseName, Verdict};
use images::UnderTest;
use report::run::{ReportedCase, ReportedRun};
use suite::Suite;
use tools::sha256_of_file;

/// The environment variable with the file to read instead of [`path`].
pub const VARIABLE: &str = "CHARTPROOF_LAST_REPORT";
/// The environment variable that nextest sets for its tests.
const NEXTEST: &str = "NEXTEST";
/// The maximum depth of folders; links can make it infinite.
const DEPTH_MAX: usize = 32;
/// The harness's own sources; they are missing if it was installed.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The last run as it is saved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Last {
    /// The run's id.
    pub run_id: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// Everything that it tested.
    pub inputs: Inputs,
    /// The verdicts of its cases.
    pub cases: Vec<(CaseName, Verdict)>,
}

/// Everything that a verdict depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Why it is not known whether they have changed.
    pub doubt: Option<String>,
    /// Folders and files of the suites; everything in them counts, including the targets of links.
    pub roots: Vec<PathBuf>,
    /// Folders and files of the harness; hidden files and build results don't count.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// The digest of every file.
    pub files: BTreeMap<PathBuf, String>,
}

/// Returns the file of the last run, relative to the folder that e2e is started in.
pub fn path() -> PathBuf {
    Path::new("target/chartproof/last.json").to_owned()
}

impl Inputs {
    /// Returns the inputs of a run of these suites.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn of<'a>(
        suites: impl IntoIterator<Item = &'a Suite>,
        charts: &Charts,
        settings: &Settings,
        images: &[&UnderTest],
    ) -> anyhow::Result<Self> {
        let mut roots = Vec::new();
        for suite in suites {
            roots.extend(suite.charts().into_keys().flat_map(|source| charts.inputs(source)));
            roots.extend(suite.values_files().into_iter().map(|(source, file)| charts.values(source).join(file)));
            // The suite file and the files next to it, but no subfolders: they may be a whole repository.
            roots.extend(entries(&suite.folder)?.into_iter().filter(|entry| entry.is_file()));
        }
        for image in images {
            if let UnderTest::Archive(archive) = image {
                roots.push(archive.path.clone());
            }
        }
        roots.extend(settings.values.iter().cloned());
        let own = ["xtask", "tests/standin", "Cargo.toml", "Cargo.lock"].map(|name| Path::new(SOURCES).join(name));
        let sources = own.into_iter().filter_map(|source| source.canonicalize().ok()).collect();
        // Links are not resolved, since their targets may change.
        let roots = roots.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
        let doubt = doubt(settings, images).or_else(|| charts.doubt());
        Self { doubt, roots, sources, files: BTreeMap::new() }.read()
    }

    /// Reads the current files.
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

    /// Returns what has changed, if anything has.
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

/// Returns why a change could go unnoticed: values from flags, or an image that can change under the same name.
fn doubt(settings: &Settings, images: &[&UnderTest]) -> Option<String> {
    if !settings.set.is_empty() || !settings.values.is_empty() {
        return Some("it used --set or --values".to_owned());
    }
    images.iter().find_map(|image| match image {
        UnderTest::Reference(reference) if reference.digest.is_none() => {
            Some(format!("the image {reference} has no digest and may have changed"))
        }
        _ => None,
    })
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<_>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    read().with_context(|| format!("reading {}", folder.display()))
}

/// Adds the digest of a file, or of all wanted files of a folder, and follows links.
fn digests(
    path: &Path,
    is_wanted: &impl Fn(&Path) -> bool,
    depth_left: usize,
    files: &mut BTreeMap<PathBuf, String>,
) -> anyhow::Result<()> {
    ensure!(depth_left > 0, "{}: folders are nested too deeply; does a link lead to a parent folder?", path.display());
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

/// Whether a path is neither hidden nor a build result.
fn is_source(path: &Path) -> bool {
    path.file_name().is_none_or(|name| !name.to_string_lossy().starts_with('.') && name != "target")
}

impl Last {
    /// Saves a run.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(run: &ReportedRun, folder: &Path, inputs: Inputs, to: &Path) -> anyhow::Result<()> {
        let cut_short = || Verdict::Failed { message: "the case has no verdict".to_owned() };
        let verdict = |case: &ReportedCase| case.end.map_or_else(cut_short, |(_, verdict)| verdict.clone());
        let cases = run.cases.iter().map(|case| (case.name.to_owned(), verdict(case))).collect();
        let last = Self { run_id: run.run_id.to_owned(), folder: folder.to_owned(), inputs, cases };
        report::write(to, &serde_json::to_string(&last)?)
    }

    /// Returns a trial for each case with its verdict, or a single failed trial if the inputs have changed since.
    fn trials(self) -> Vec<Trial> {
        if let Some(why) = self.inputs.changed() {
            let message = format!("run {} is out of date: {why}; run `cargo xtask e2e` again", self.run_id);
            return vec![Trial::test("the_last_run_is_up_to_date", || Err(Failed::from(message)))];
        }
        let folder = self.folder.display().to_string();
        let trial = |(case, verdict): (CaseName, Verdict)| {
            // nextest shows these as skipped.
            let is_ignored = matches!(verdict, Verdict::NotApplicable { .. });
            let result = match verdict {
                Verdict::Passed { .. } | Verdict::NotApplicable { .. } => Ok(()),
                Verdict::Failed { message } => Err(format!("{message}\nrun {}, in {folder}", self.run_id)),
                // nextest shows a case that is ignored at run time as passed.
                Verdict::NotRun { blocked_by } => {
                    Err(format!("not run: {blocked_by}\nrun {}, in {folder}", self.run_id))
                }
            };
            Trial::test(case, || result.map_err(Failed::from)).with_ignored_flag(is_ignored)
        };
        self.cases.into_iter().map(trial).collect()
    }
}

/// Lists and shows the verdicts of a saved run as nextest requests; nothing if there is no file, or under `cargo
/// test`.
pub fn run(file: &Path) -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let kept = std::fs::read_to_string(file).ok().filter(|_| std::env::var_os(NEXTEST).is_some());
    let trials = kept.map_or_else(Vec::new, |text| match serde_json::from_str::<Last>(&text) {
        Ok(last) => last.trials(),
        Err(error) => {
            let message = format!("{}: {error}; run `cargo xtask e2e` to write it again", file.display());
            vec![Trial::test("the_last_run_can_be_read", || Err(Failed::from(message)))]
        }
    });
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
