//! What can be wrong with a suite's releases and Secrets.

use super::{At, Key, Source, Suite, check_values, is_label};
use crate::suite::Release;

/// The longest label of a topology together with a part: a namespace's name has 63 characters, and the run's in it.
const LONGEST: usize = 42;

/// Names, needs and holes of the releases; names of the Secrets.
pub fn check(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, release) in suite.releases.iter().enumerate() {
        let here = [Key("release"), At(index)];
        check_release(suite, index, release).map_err(|message| source.error(&here, message))?;
    }
    for (index, secret) in suite.secrets.iter().enumerate() {
        if let Some(wrong) = secret.namespaces.iter().find(|part| !part.is_empty() && !is_label(part)) {
            let message = format!("namespace `{wrong}`: use small letters, digits and dashes");
            return Err(source.error(&[Key("secret"), At(index)], message));
        }
    }
    for (index, topology) in suite.topologies.iter().enumerate() {
        let longest = suite.parts().iter().map(|part| part.len()).max().unwrap_or(0);
        let length = suite.name.len() + topology.name.len() + longest;
        if length > LONGEST {
            let message = format!(
                "the names of suite, topology and namespace have {length} characters together: {LONGEST} fit in a namespace's name"
            );
            return Err(source.error(&[Key("topology"), At(index), Key("name")], message));
        }
    }
    Ok(())
}

fn check_release(suite: &Suite, index: usize, release: &Release) -> Result<(), String> {
    let key = release.key();
    if suite.releases[..index].iter().any(|other| other.key() == key) {
        return Err(format!("a second release `{key}`: give each a name or a namespace of its own"));
    }
    if !is_label(&release.name) || !(release.namespace.is_empty() || is_label(&release.namespace)) {
        return Err(format!("release `{key}`: use small letters, digits and dashes, at most 30"));
    }
    for need in &release.needs {
        // Only what stands above: so they can't need each other in a circle.
        if !suite.releases[..index].iter().any(|other| other.key() == *need) {
            return Err(format!("release `{key}` needs `{need}`: name one that stands above it"));
        }
    }
    let namespaces = suite.parts().into_iter().map(|part| (part.to_owned(), String::new()));
    let namespaces = crate::suite::Namespaces(namespaces.collect());
    release.set.iter().try_for_each(|value| namespaces.fill(value).map(drop))
}

/// The charts and values files of the releases.
pub fn check_files(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, release) in suite.releases.iter().enumerate() {
        let chart = suite.chart_of(release);
        if !chart.join("Chart.yaml").is_file() {
            let message = format!("{} holds no chart: there is no Chart.yaml", chart.display());
            // A suite of one chart has no table for its release: then this is the line of its chart.
            let here = if source.has("release") { vec![Key("release"), At(index)] } else { vec![Key("chart")] };
            return Err(source.error(&here, message));
        }
        check_values(source, &chart, &release.values, &[Key("release"), At(index), Key("values")])?;
    }
    Ok(())
}
