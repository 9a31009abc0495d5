//! Reads a suite file. An error names file and line, and what to write instead.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Suite, Topology};
use crate::exit::usage;
use crate::phases::Phase;

/// Where the suite lies that runs unless another is named.
pub const DEFAULT: &str = "helm/caesium/e2e.toml";

/// A step on the way to a key: its name, or the index in an array.
enum Step<'a> {
    Key(&'a str),
    At(usize),
}

use Step::{At, Key};

/// A file under inspection.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

/// Reads the suite file, or the `e2e.toml` of a folder.
///
/// # Errors
/// A usage error that names file and line.
pub fn read(path: &Path) -> anyhow::Result<Suite> {
    let file = if path.is_dir() { path.join("e2e.toml") } else { path.to_owned() };
    let text = fs::read_to_string(&file).map_err(|error| {
        usage(format!("suite {}: {error}; name a suite file, or a chart's folder that has an e2e.toml", file.display()))
    })?;
    let mut suite = parse(&file, &text)?;
    file.parent().unwrap_or(Path::new(".")).clone_into(&mut suite.folder);
    check_files(&Source { path: &file, text: &text }, &suite)?;
    Ok(suite)
}

/// Parses a suite, without a look at the files that it names.
fn parse(path: &Path, text: &str) -> anyhow::Result<Suite> {
    let source = Source { path, text };
    let mut suite: Suite = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        usage(format!("{}:{line}: {}", path.display(), error.message().replace('\n', " ")))
    })?;
    if suite.release.is_empty() {
        suite.release.clone_from(&suite.name);
    }
    check_names(&source, &suite)?;
    check_records(&source, &suite)?;
    for (index, topology) in suite.topologies.iter().enumerate() {
        check_topology(&source, &suite, index, topology)?;
    }
    Ok(suite)
}

fn check_names(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    if suite.topologies.is_empty() {
        return Err(
            source.error(&[Key("name")], "there is no topology: add a [[topology]] with name, replicas and cases")
        );
    }
    for (index, topology) in suite.topologies.iter().enumerate() {
        let here = [Key("topology"), At(index), Key("name")];
        if suite.topologies[..index].iter().any(|other| other.name == topology.name) {
            return Err(
                source.error(&here, format!("a second topology `{}`: give each a name of its own", topology.name))
            );
        }
        if !is_label(&topology.name) {
            let fix = "use small letters, digits and dashes, at most 30: it becomes part of a namespace's name";
            return Err(source.error(&here, format!("topology `{}`: {fix}", topology.name)));
        }
    }
    let known = |name: &str| name == "default" || Phase::names().contains(&name);
    if let Some(name) = suite.timeouts_s.keys().find(|name| !known(name)) {
        let fix = format!("there are `default` and {}", Phase::names().join(", "));
        return Err(source.error(&[Key("timeouts_s"), Key(name)], format!("no case is called `{name}`: {fix}")));
    }
    Ok(())
}

fn check_records(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    let records = &suite.records;
    if records.read.request.path.needs_id() && records.write.id.is_none() {
        let message = "`${id}` is read but never learnt: add `id = \"/pointer\"` to [records.write]";
        return Err(source.error(&[Key("records"), Key("read")], message));
    }
    if records.read.request.path.needs_id() && records.find.is_none() {
        let message =
            "a record is read by its id, so one whose write was not answered can't be looked up: add [records.find]";
        return Err(source.error(&[Key("records"), Key("read")], message));
    }
    Ok(())
}

fn check_topology(source: &Source<'_>, suite: &Suite, index: usize, topology: &Topology) -> anyhow::Result<()> {
    for (position, phase) in topology.cases.iter().enumerate() {
        let here = [Key("topology"), At(index), Key("cases"), At(position)];
        if topology.cases[..position].contains(phase) {
            return Err(source.error(&here, format!("case `{}` is there already", phase.name())));
        }
        if !phase.has_topology() {
            return Err(source.error(
                &here,
                format!("case `{}` belongs to no topology: leave it out, it always runs", phase.name()),
            ));
        }
        if let Some(missing) = phase.missing(suite) {
            return Err(source.error(&here, format!("case `{}` needs {missing}", phase.name())));
        }
        for need in phase.needs().iter().filter(|need| need.has_topology()) {
            if !topology.cases[..position].contains(need) {
                let message = format!("case `{}` needs `{}` before it", phase.name(), need.name());
                return Err(source.error(&here, message));
            }
        }
    }
    Ok(())
}

fn check_files(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    let chart = suite.chart();
    if !chart.join("Chart.yaml").is_file() {
        let message = format!("{} holds no chart: there is no Chart.yaml", chart.display());
        return Err(source.error(&[Key("chart")], message));
    }
    for (index, topology) in suite.topologies.iter().enumerate() {
        for (position, values) in topology.values.iter().enumerate() {
            if !chart.join(values).is_file() {
                let here = [Key("topology"), At(index), Key("values"), At(position)];
                let message =
                    format!("{} is no file; values files are relative to the chart", chart.join(values).display());
                return Err(source.error(&here, message));
            }
        }
    }
    Ok(())
}

fn is_label(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 30 && name.chars().all(allowed) && !name.starts_with('-') && !name.ends_with('-')
}

impl Source<'_> {
    /// A usage error at a key, or at the nearest table around it that there is.
    fn error(&self, way: &[Step<'_>], message: impl Display) -> anyhow::Error {
        let line = self.line_of(way).unwrap_or(1);
        usage(format!("{}:{line}: {message}", self.path.display()))
    }

    fn line_of(&self, way: &[Step<'_>]) -> Option<usize> {
        let table = DeTable::parse(self.text).ok()?;
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
        Some(line_at(self.text, at))
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
