//! Every value takes effect: it changes a place of the rendering that is different by default.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::helm::Chart;
use crate::manifests::{Manifests, at};

/// A value, an object, a place in it, and its content (as JSON) with `ci/full-values.yaml`.
pub type InFull = (&'static str, &'static str, &'static str, &'static str);

/// For values that exclude others: the value, its JSON, and then as above.
pub type Alone = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Checks all rows, and that every value has one.
pub fn check_every_value(chart: Chart, wholes: &[&str], full: &[InFull], alone: &[Alone]) {
    check_full(chart, full);
    check_alone(chart, alone);
    check_every_value_has_a_row(chart, wholes, full, alone);
}

/// Checks the rows with `ci/full-values.yaml`.
pub fn check_full(chart: Chart, rows: &[InFull]) {
    let full = chart.render().file(&chart.ci("full-values.yaml")).manifests();
    let default = chart.render().manifests();
    for (value, object, at, want) in rows {
        assert_eq!(place(&full, object, at), json(want), "{value}: {object} {at}");
        assert_ne!(place(&default, object, at), json(want), "{value} has the same effect by default");
    }
}

/// Checks the rows with one value each.
pub fn check_alone(chart: Chart, rows: &[Alone]) {
    let groups: Vec<_> = rows.chunks(1).map(<[Alone]>::to_vec).collect();
    check_together(chart, &groups);
}

/// Checks the rows with all values of a group at once, for values that do not affect each other.
pub fn check_together(chart: Chart, groups: &[Vec<Alone>]) {
    let default = chart.render().manifests();
    for rows in groups {
        let set = rows.iter().fold(chart.render(), |render, (value, set, ..)| render.value(value, set));
        let rendered = set.manifests();
        for (value, _, object, at, want) in rows {
            assert_eq!(place(&rendered, object, at), json(want), "{value}: {object} {at}");
            assert_ne!(place(&default, object, at), json(want), "{value} has the same effect by default");
        }
    }
}

/// Checks that each value in values.yaml has a row, and that no row is about another value. A row that sets a map
/// covers each of the map's values.
pub fn check_every_value_has_a_row(chart: Chart, wholes: &[&str], full: &[InFull], alone: &[Alone]) {
    let every = every_value(chart, wholes);
    let mut rows: BTreeSet<_> = full.iter().map(|row| row.0.to_owned()).collect();
    for (value, set, ..) in alone {
        leaves(&json(set), value, wholes, &mut rows);
        rows.insert((*value).to_owned());
    }
    let lacking: Vec<_> = every.difference(&rows).collect();
    assert!(lacking.is_empty(), "no row for {lacking:?}");
    let known = |row: &String| every.iter().any(|value| value == row || value.starts_with(&format!("{row}.")));
    let paths = full.iter().map(|row| row.0.to_owned()).chain(alone.iter().map(|row| row.0.to_owned()));
    let strange: Vec<_> = paths.filter(|path| !known(path)).collect();
    assert!(strange.is_empty(), "{}'s values.yaml has no {strange:?}", chart.0);
}

/// Returns the content of a place in an object; null if there is no such object. A place may begin with `POD.` (of a
/// workload), `CONTAINER.` (its first container), `ENV[` or `CLAIM.`.
pub fn place(rendered: &Manifests, object: &str, place: &str) -> Value {
    let place = place
        .replace("ENV[", "CONTAINER.env[")
        .replace("CONTAINER.", "POD.containers[0].")
        .replace("POD.", "spec.template.spec.")
        .replace("CLAIM.", "spec.volumeClaimTemplates[0].");
    rendered.find(object).map_or(Value::Null, |object| at(object, &place).clone())
}

/// Parses the JSON of a row.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Returns the path of every value in a chart's values.yaml. Maps are split up unless they are empty or checked as a
/// whole.
pub fn every_value(chart: Chart, wholes: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    leaves(&serde_saphyr::from_str(&chart.values()).unwrap(), "", wholes, &mut found);
    found
}

fn leaves(value: &Value, path: &str, wholes: &[&str], found: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(map) if !map.is_empty() && !wholes.contains(&path) => {
            for (key, value) in map {
                leaves(value, format!("{path}.{key}").trim_start_matches('.'), wholes, found);
            }
        }
        _ => _ = found.insert(path.to_owned()),
    }
}
