//! What can be wrong with a topology's cases: what one needs, what it would ignore, and what would prove nothing.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{At, Key, Source, Suite, check_values};
use crate::phases::{self, Phase};
use crate::suite::{CaseSpec, Namespaces, Topology};

/// What only some cases have; each of them has more, which their phases know.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Common {
    set: Vec<String>,
    values: Vec<PathBuf>,
    names: Vec<String>,
    releases: Vec<Meant>,
}

/// A release of the case `fits`.
#[derive(Deserialize)]
struct Meant {
    release: String,
    #[serde(default)]
    values: Vec<PathBuf>,
    #[serde(default)]
    set: Vec<String>,
}

/// Whether each case may stand in a topology, with the parameters that its phase knows.
pub fn check_parameters(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    each(source, suite, |_, _, case| {
        let name = &case.name;
        if !case.phase.has_topology() {
            return Err(format!("case `{name}` belongs to no topology: leave it out, it always runs"));
        }
        phases::check(suite, case).map_err(|message| format!("case `{name}`: {message}"))
    })
}

/// Whether each case can run after those before it, and proves something.
pub fn check(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    each(source, suite, |topology, before, case| {
        needs(suite, before, case)?;
        let checks = [release(suite, case), replicas(suite, topology, case), related(suite, topology, case)];
        let wrong = checks.into_iter().chain([holes(suite, case)]).find_map(Result::err);
        wrong.map_or(Ok(()), |message| Err(format!("case `{}`: {message}", case.name)))
    })?;
    for (index, topology) in suite.topologies.iter().enumerate() {
        let here = |key| [Key("topology"), At(index), Key(key)];
        never_below(suite, topology).map_err(|message| source.error(&here("never_below"), message))?;
        filled(suite, &topology.set).map_err(|message| source.error(&here("set"), message))?;
    }
    Ok(())
}

/// The values files that cases name.
pub fn check_files(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, topology) in suite.topologies.iter().enumerate() {
        for (position, case) in topology.cases.iter().enumerate() {
            let here = [Key("topology"), At(index), Key("cases"), At(position)];
            let common: Common = with(case);
            let own = (case.release.clone(), common.values);
            for (key, values) in
                common.releases.into_iter().map(|meant| (Some(meant.release), meant.values)).chain([own])
            {
                let release = suite.release(key.as_deref()).map_err(|message| source.error(&here, message))?;
                check_values(source, &suite.chart_of(release), &values, &here)?;
            }
        }
    }
    Ok(())
}

/// Calls a check for every case, with its topology and the cases before it.
fn each(
    source: &Source<'_>,
    suite: &Suite,
    check: impl Fn(&Topology, &[CaseSpec], &CaseSpec) -> Result<(), String>,
) -> anyhow::Result<()> {
    for (index, topology) in suite.topologies.iter().enumerate() {
        for (position, case) in topology.cases.iter().enumerate() {
            let here = [Key("topology"), At(index), Key("cases"), At(position)];
            check(topology, &topology.cases[..position], case).map_err(|message| source.error(&here, message))?;
        }
    }
    Ok(())
}

fn needs(suite: &Suite, before: &[CaseSpec], case: &CaseSpec) -> Result<(), String> {
    let (phase, name) = (case.phase, case.name.as_str());
    if before.iter().any(|other| other.name == name) {
        return Err(format!("case `{name}` is there already: give each a `name` of its own"));
    }
    if let Some(missing) = phase.missing(suite) {
        return Err(format!("case `{name}` needs {missing}"));
    }
    let lacks = |need: &&Phase| need.has_topology() && !before.iter().any(|other| other.phase == **need);
    phase
        .needs()
        .iter()
        .find(lacks)
        .map_or(Ok(()), |need| Err(format!("case `{name}` needs `{}` before it", need.name())))
}

fn release(suite: &Suite, case: &CaseSpec) -> Result<(), String> {
    let Some(key) = &case.release else { return Ok(()) };
    if !case.phase.takes_release() {
        return Err(format!("it takes no `release`: it isn't about `{key}` alone; leave `release` out"));
    }
    suite.release(Some(key)).map(drop)
}

/// What a number of replicas keeps from proving anything.
fn replicas(suite: &Suite, topology: &Topology, case: &CaseSpec) -> Result<(), String> {
    let (has, fewest) = (topology.replicas, case.phase.fewest_replicas());
    if has < fewest {
        return Err(format!("with `replicas = {has}` it proves nothing: use a topology of {fewest} or more"));
    }
    let to = suite.scale.to;
    if case.phase == Phase::ScaleUp && to <= has {
        return Err(format!(
            "`to = {to}` of [scale] adds no replica to `replicas = {has}`: make it {} or more",
            has + 1
        ));
    }
    if case.phase == Phase::RollbackAlone && suite.releases.len() == 1 {
        return Err("there is no other release to be left alone: add one, or leave this case out".to_owned());
    }
    Ok(())
}

/// Parameters that are right by themselves, and wrong together.
fn related(suite: &Suite, topology: &Topology, case: &CaseSpec) -> Result<(), String> {
    match case.phase {
        Phase::DisruptionBudget => keeps(topology, case),
        Phase::Autoscaler => autoscaler(case),
        Phase::ConnectionBudget => connections(case),
        Phase::EachAlone => parts(case),
        Phase::EnvironmentsDiffer => between(suite, case),
        Phase::Fits => meant(suite, case),
        _ => Ok(()),
    }
}

fn keeps(topology: &Topology, case: &CaseSpec) -> Result<(), String> {
    let (keeps, replicas) = (integer(case, "keeps").unwrap_or(0), topology.replicas);
    if keeps > i64::from(replicas) {
        return Err(format!("`keeps = {keeps}` is more than `replicas = {replicas}`: write {replicas} or fewer"));
    }
    Ok(())
}

fn autoscaler(case: &CaseSpec) -> Result<(), String> {
    match (integer(case, "min"), integer(case, "max")) {
        (Some(min), Some(max)) if min > max => Err(format!("`min = {min}` is more than `max = {max}`: swap them")),
        _ => Ok(()),
    }
}

fn connections(case: &CaseSpec) -> Result<(), String> {
    match (integer(case, "reserve"), integer(case, "max_connections")) {
        (Some(reserve), Some(max)) if reserve >= max => {
            Err(format!("`reserve = {reserve}` leaves nothing of `max_connections = {max}`: make it smaller"))
        }
        _ => Ok(()),
    }
}

fn parts(case: &CaseSpec) -> Result<(), String> {
    let parts: toml::Table = case.with.get("parts").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    for (part, needs) in &parts {
        let needs = needs.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
        if let Some(need) = needs.into_iter().find(|need| *need == part || !parts.contains_key(*need)) {
            return Err(format!("part `{part}` needs `{need}`: name another one of `parts`"));
        }
    }
    Ok(())
}

fn between(suite: &Suite, case: &CaseSpec) -> Result<(), String> {
    let keys = case.with.get("between").and_then(toml::Value::as_array).into_iter().flatten();
    keys.filter_map(toml::Value::as_str).try_for_each(|key| suite.release(Some(key)).map(drop))
}

fn meant(suite: &Suite, case: &CaseSpec) -> Result<(), String> {
    let meant = with::<Common>(case).releases;
    for (index, one) in meant.iter().enumerate() {
        suite.release(Some(&one.release))?;
        if meant[..index].iter().any(|other| other.release == one.release) {
            return Err(format!("`releases` lists {} twice: remove one", one.release));
        }
    }
    Ok(())
}

/// `${namespace}` and `${namespace:PART}` in what a case fills in.
fn holes(suite: &Suite, case: &CaseSpec) -> Result<(), String> {
    // helm gets these as they are.
    if case.phase == Phase::TemplateRefused {
        return Ok(());
    }
    let common: Common = with(case);
    filled(suite, &common.set)?;
    filled(suite, &common.names)?;
    common.releases.iter().try_for_each(|meant| filled(suite, &meant.set))
}

/// Whether every hole in these texts names a part that there is.
pub fn filled(suite: &Suite, texts: &[String]) -> Result<(), String> {
    let namespaces = suite.parts().into_iter().map(|part| (part.to_owned(), String::new()));
    let namespaces = Namespaces(namespaces.collect());
    texts.iter().try_for_each(|text| namespaces.fill(text).map(drop))
}

fn never_below(suite: &Suite, topology: &Topology) -> Result<(), String> {
    let Some(never_below) = topology.never_below else { return Ok(()) };
    if never_below > topology.replicas {
        let replicas = topology.replicas;
        return Err(format!(
            "`never_below = {never_below}` is more than `replicas = {replicas}`: write {replicas} or fewer"
        ));
    }
    if suite.workload.is_none() {
        return Err("`never_below` counts the replicas of a [workload]: add one, or leave it out".to_owned());
    }
    let counts = |case: &CaseSpec| case.phase > Phase::Ready && !case.phase.cleans_up();
    if !topology.cases.iter().any(counts) {
        return Err("`never_below` is about the cases after `ready`: add one, or leave it out".to_owned());
    }
    Ok(())
}

fn integer(case: &CaseSpec, key: &str) -> Option<i64> {
    case.with.get(key).and_then(toml::Value::as_integer)
}

/// Some of a case's parameters; their types were checked before.
fn with<T: DeserializeOwned + Default>(case: &CaseSpec) -> T {
    case.with.clone().try_into().unwrap_or_default()
}
