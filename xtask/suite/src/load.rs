//! Reads a suite file. An error contains file and line, and what to write instead.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::budgets::Budgets;
use super::{CaseKind, Release, Suite};
use console::exit::usage;

mod cases;
mod images;
mod releases;
mod requests;
mod schema;
mod workloads;

/// The default suite.
pub const DEFAULT: &str = "helm/caesium/e2e.toml";
/// The limit for a message, in characters: some list every kind of case.
const LONGEST_MESSAGE: usize = 3000;
/// The folder of the charts with their suites.
const CHARTS: &str = "helm";

/// A step in the path to a key: its name, or the index in an array.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A key of a table.
    Key(&'a str),
    /// An entry of an array.
    At(usize),
}

use Step::{At, Key};

/// A file that is being read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

/// Reads a suite file, or the `e2e.toml` in a folder. `kinds` are the kinds of cases that it may list.
///
/// # Errors
/// A usage error with file and line.
pub fn read(path: &Path, kinds: &[&'static CaseKind]) -> anyhow::Result<Suite> {
    let file = if path.is_dir() { path.join("e2e.toml") } else { path.to_owned() };
    let text = fs::read_to_string(&file).map_err(|error| {
        usage(format!("suite {}: {error}; name a suite file, or a chart's folder that has an e2e.toml", file.display()))
    })?;
    let mut suite = parse(&file, &text, kinds)?;
    suite.budgets = Budgets::beside(&suite.folder)?;
    check_files(&file, &text, &suite)?;
    Ok(suite)
}

/// Reads several suites; `all` means every suite below `helm/`.
///
/// # Errors
/// As [`read`], or if two have the same name or different stand-ins.
pub fn read_all(paths: &[PathBuf], kinds: &[&'static CaseKind]) -> anyhow::Result<Vec<Arc<Suite>>> {
    let mut suites: Vec<Arc<Suite>> = Vec::new();
    for path in paths {
        let paths = if path.as_os_str() == "all" { all()? } else { vec![path.clone()] };
        for path in paths {
            let suite = read(&path, kinds)?;
            if suites.iter().any(|other| other.name == suite.name) {
                return Err(usage(format!(
                    "suite {}: another suite has the same name, {}",
                    path.display(),
                    suite.name
                )));
            }
            suites.push(Arc::new(suite));
        }
    }
    let programs: BTreeSet<_> =
        suites.iter().flat_map(|suite| &suite.images).filter_map(|image| image.stand_in.as_deref()).collect();
    if programs.len() > 1 {
        let programs = programs.into_iter().collect::<Vec<_>>().join(", ");
        return Err(usage(format!(
            "suites that run side by side must share one stand-in, but these use {programs}: run them one by one"
        )));
    }
    Ok(suites)
}

/// Returns the folders below `helm/` that have a suite file.
///
/// # Errors
/// If there is no such folder.
pub fn all() -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(CHARTS).map_err(|error| {
        usage(format!("--suite all: {CHARTS}: {error}; run it in the folder that contains {CHARTS}/"))
    })?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<_> = folders.filter(|path| path.join("e2e.toml").is_file()).collect();
    found.sort();
    if found.is_empty() {
        return Err(usage(format!(
            "--suite all: no folder in {CHARTS} has an e2e.toml; name a suite file or its folder"
        )));
    }
    Ok(found)
}

/// Parses a suite, without checking the files that it names.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str, kinds: &[&'static CaseKind]) -> anyhow::Result<Suite> {
    let source = Source { path, text };
    let mut suite: Suite = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        usage(format!("{}:{line}: {}", path.display(), shortened(&error.message().replace('\n', " "))))
    })?;
    path.parent().unwrap_or(Path::new(".")).clone_into(&mut suite.folder);
    take_chart(&source, &mut suite)?;
    releases::locate(&source, &mut suite)?;
    workloads::take_tables(&source, &mut suite)?;
    workloads::check(&source, &suite)?;
    cases::look_up(&source, &mut suite, kinds)?;
    images::check(&source, &mut suite)?;
    cases::check_parameters(&source, &suite)?;
    schema::check(&source)?;
    check_names(&source, &suite, kinds)?;
    releases::check(&source, &suite)?;
    requests::check(&source, &suite)?;
    cases::check(&source, &suite)?;
    for (index, question) in suite.questions.iter().enumerate() {
        let here = [Key("verify"), At(index)];
        question.check(&suite).map_err(|message| source.error(&here, message))?;
    }
    Ok(suite)
}

/// Turns a suite's `chart` into a release with the name of the suite.
fn take_chart(source: &Source<'_>, suite: &mut Suite) -> anyhow::Result<()> {
    match (suite.chart.take(), suite.releases.is_empty()) {
        (Some(chart), true) => {
            let version = suite.version.take();
            suite.releases = vec![Release { name: suite.name.clone(), chart, version, ..Release::default() }];
            Ok(())
        }
        (None, false) if suite.version.is_some() => {
            Err(source.error(&[Key("version")], "`version` belongs to `chart`: move it into the [[release]] it is of"))
        }
        (None, false) => Ok(()),
        (Some(_), false) => {
            Err(source
                .error(&[Key("chart")], "`chart` can't be combined with [[release]]: each release has its own chart"))
        }
        (None, true) => {
            let here = if source.has("release") { "release" } else { "name" };
            Err(source.error(&[Key(here)], "nothing is deployed: add `chart = \"FOLDER\"`, or a [[release]]"))
        }
    }
}

fn check_names(source: &Source<'_>, suite: &Suite, kinds: &[&CaseKind]) -> anyhow::Result<()> {
    for (index, topology) in suite.topologies.iter().enumerate() {
        let here = [Key("topology"), At(index), Key("name")];
        if suite.topologies[..index].iter().any(|other| other.name == topology.name) {
            return Err(source.error(&here, format!("duplicate topology `{}`: give each its own name", topology.name)));
        }
    }
    let named = |name: &str| suite.topologies.iter().flat_map(|topology| &topology.cases).any(|case| case.name == name);
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    let known = |name: &str| name == "default" || names.contains(&name) || named(name);
    if let Some(name) = suite.timeouts_s.keys().find(|name| !known(name)) {
        let fix = format!("expected `default` or one of {}", names.join(", "));
        return Err(source.error(&[Key("timeouts_s"), Key(name)], format!("unknown case `{name}`: {fix}")));
    }
    Ok(())
}

/// Checks that the files that a suite names exist.
///
/// # Errors
/// A usage error with the line of the first missing file.
pub fn check_files(path: &Path, text: &str, suite: &Suite) -> anyhow::Result<()> {
    let source = &Source { path, text };
    releases::check_files(source, suite)?;
    let Some(chart) = suite.under_test().source.folder() else { return cases::check_files(source, suite) };
    for (index, topology) in suite.topologies.iter().enumerate() {
        check_values(source, chart, &topology.values, &[Key("topology"), At(index), Key("values")])?;
    }
    cases::check_files(source, suite)
}

fn check_values(source: &Source<'_>, chart: &Path, values: &[PathBuf], here: &[Step<'_>]) -> anyhow::Result<()> {
    let Some(position) = values.iter().position(|file| !chart.join(file).is_file()) else { return Ok(()) };
    let file = chart.join(&values[position]);
    let here: Vec<_> = here.iter().copied().chain([At(position)]).collect();
    Err(source.error(&here, format!("{} is not a file; values files are relative to the chart", file.display())))
}

impl Source<'_> {
    /// Returns a usage error at a key, or at the nearest existing table around it.
    fn error(&self, way: &[Step<'_>], message: impl Display) -> anyhow::Error {
        usage(format!("{}: {}", self.place(way), shortened(&message.to_string())))
    }

    /// Returns the file and line of a key: `helm/caesium/e2e.toml:7`.
    fn place(&self, way: &[Step<'_>]) -> String {
        format!("{}:{}", self.path.display(), line_of(self.text, way).unwrap_or(1))
    }

    /// Returns the path to a table that is the only one of its key, or one of several.
    fn table<'a>(&self, key: &'a str, index: usize) -> Vec<Step<'a>> {
        if self.is_list(key) { vec![Key(key), At(index)] } else { vec![Key(key)] }
    }

    /// Returns whether this key at the top level is a list.
    fn is_list(&self, key: &str) -> bool {
        DeTable::parse(self.text)
            .is_ok_and(|table| table.get_ref().get(key).is_some_and(|value| value.get_ref().is_array()))
    }

    /// Returns whether the file has this key at the top level.
    fn has(&self, key: &str) -> bool {
        DeTable::parse(self.text).is_ok_and(|table| table.get_ref().contains_key(key))
    }
}

/// Shortens a message: it may contain a value from the file of any length.
fn shortened(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]).into(),
        None => message.into(),
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// Returns the line of a key, or of the nearest table around it; none if the text is not TOML.
pub fn line_of(text: &str, way: &[Step<'_>]) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut at = table.span().start;
    let document = DeValue::Table(table.into_inner());
    let mut value = &document;
    for step in way {
        let next = match step {
            Key(key) => value.get(*key),
            At(index) => value.get(*index),
        };
        let Some(next) = next else { break };
        at = next.span().start;
        value = next.get_ref();
    }
    Some(line_at(text, at))
}
