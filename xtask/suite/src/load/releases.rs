//! Checks a suite's releases and Secrets.

use super::{At, Key, Source, Step, Suite, check_values};
use crate::{ChartSource, Release, SecretSpec, Topology, variant};

/// The longest name of a namespace, in characters (RFC 1123).
const LONGEST: usize = 63;

/// Checks names, needs and placeholders of the releases, and names of the Secrets.
pub fn check(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, release) in suite.releases.iter().enumerate() {
        let here = [Key("release"), At(index)];
        check_release(suite, index, release).map_err(|message| source.error(&here, message))?;
        let here = [Key("release"), At(index), Key("pod_security")];
        check_level(&suite.releases[..index], release).map_err(|message| source.error(&here, message))?;
    }
    for (index, secret) in suite.secrets.iter().enumerate() {
        let same = |other: &&SecretSpec| {
            other.name == secret.name && other.namespaces.iter().any(|part| secret.namespaces.contains(part))
        };
        if suite.secrets[..index].iter().find(same).is_some() {
            let message = format!("duplicate Secret `{}` in one namespace: give each its own name", secret.name);
            return Err(source.error(&[Key("secret"), At(index)], message));
        }
    }
    for (index, topology) in suite.topologies.iter().enumerate() {
        check_namespaces(suite, topology)
            .map_err(|message| source.error(&[Key("topology"), At(index), Key("name")], message))?;
    }
    Ok(())
}

/// Checks that the names of a topology's namespaces are short enough.
fn check_namespaces(suite: &Suite, topology: &Topology) -> Result<(), String> {
    let run_id = "0".repeat(variant::RUN_ID_LENGTH);
    let names = suite.parts().into_iter().map(|part| variant::namespace(&suite.name, &topology.name, &run_id, part));
    let Some(name) = names.max_by_key(String::len).filter(|name| name.len() > LONGEST) else { return Ok(()) };
    let more = name.len() - LONGEST;
    Err(format!(
        "Namespace/{name} would have {} characters, but {LONGEST} are allowed: shorten the names of suite, topology or \
         namespace by {more}",
        name.len()
    ))
}

/// A namespace has one level.
fn check_level(before: &[Release], release: &Release) -> Result<(), String> {
    let differs = |other: &&Release| {
        let levels = other.pod_security.zip(release.pod_security);
        other.namespace == release.namespace && levels.is_some_and(|(one, two)| one != two)
    };
    before.iter().find(differs).map_or(Ok(()), |other| {
        Err(format!("releases `{}` and `{}` share a namespace: give them the same level", other.key(), release.key()))
    })
}

fn check_release(suite: &Suite, index: usize, release: &Release) -> Result<(), String> {
    let key = release.key();
    if suite.releases[..index].iter().any(|other| other.key() == key) {
        return Err(format!("duplicate release `{key}`: give each its own name or namespace"));
    }
    for need in &release.needs {
        // Only releases above are allowed, so there can be no cycle.
        if !suite.releases[..index].iter().any(|other| other.key() == *need) {
            return Err(format!(
                "release `{key}` needs `{need}`, which is not a release above it: move it up, or name another"
            ));
        }
    }
    suite.check_holes(&release.set)
}

/// Finds out where the charts of the releases, and the one to upgrade from, come from.
pub fn locate(source: &Source<'_>, suite: &mut Suite) -> anyhow::Result<()> {
    let folder = suite.folder.clone();
    for (index, release) in suite.releases.iter_mut().enumerate() {
        let here = chart_of(source, index);
        let found = ChartSource::of(&release.chart, release.version.as_deref(), &folder, &folder);
        release.source = found.map_err(|message| source.error(&here, message))?;
        release.place = source.place(&here);
    }
    let own = match &suite.under_test().source {
        ChartSource::Folder(folder) | ChartSource::Git { folder, .. } => folder.clone(),
        ChartSource::Archive(_) | ChartSource::Pulled { .. } => folder.clone(),
    };
    let Some(earlier) = &mut suite.upgrade.from else { return Ok(()) };
    let here = [Key("upgrade"), Key("from"), Key("chart")];
    let found = ChartSource::of(&earlier.chart, earlier.version.as_deref(), &folder, &own);
    earlier.source = found.map_err(|message| source.error(&here, message))?;
    earlier.place = source.place(&here);
    let here = |key| [Key("upgrade"), Key("from"), Key(key)];
    let image = earlier.image().map_err(|message| source.error(&here("image"), message))?;
    if image.is_some() && suite.images.is_empty() {
        let message = "the values that set an image are unknown: add an [image] table, or remove `image`";
        return Err(source.error(&here("image"), message));
    }
    if earlier.image.is_none() && suite.releases.last().is_some_and(|release| release.source == earlier.source) {
        let message = "`from` is the chart under test itself: name an earlier one, such as `git:HEAD~1`";
        return Err(source.error(&here("chart"), message));
    }
    Ok(())
}

/// Returns the way to the chart of a release. A suite with a single chart has no table for its release.
fn chart_of(source: &Source<'_>, index: usize) -> Vec<Step<'static>> {
    if source.has("release") { vec![Key("release"), At(index), Key("chart")] } else { vec![Key("chart")] }
}

/// Checks the charts and values files that are folders and files on this machine.
pub fn check_files(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, release) in suite.releases.iter().enumerate() {
        let here = chart_of(source, index);
        check_chart(&release.source).map_err(|message| source.error(&here, message))?;
        if let Some(chart) = release.source.folder() {
            check_values(source, chart, &release.values, &[Key("release"), At(index), Key("values")])?;
        }
    }
    let Some(earlier) = &suite.upgrade.from else { return Ok(()) };
    let here = |key| [Key("upgrade"), Key("from"), Key(key)];
    check_chart(&earlier.source).map_err(|message| source.error(&here("chart"), message))?;
    match (earlier.source.folder(), &earlier.values) {
        (Some(chart), Some(values)) => check_values(source, chart, values, &here("values")),
        _ => Ok(()),
    }
}

/// Checks that a chart on this machine exists. Others are fetched later.
fn check_chart(source: &ChartSource) -> Result<(), String> {
    match source {
        ChartSource::Folder(chart) if !chart.join("Chart.yaml").is_file() => {
            Err(format!("{source} is not a chart: it has no Chart.yaml; a chart of a repository needs a `version`"))
        }
        ChartSource::Archive(archive) if !archive.is_file() => Err(format!("{source} is not a file")),
        _ => Ok(()),
    }
}
