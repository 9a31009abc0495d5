//! Tests every key of a suite file with unusual values (long because it holds the table of those that are accepted).
//!
//! Each value must be refused with file and line, or be listed below as accepted, with the reason. The keys are those of
//! `docs/suite.md`, which has all of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use tempfile::TempDir;
use toml::{Table, Value};

use super::loading::{blocks, documented};
use crate::cases;
use console::exit::UsageError;
use suite::load::{self, Step};
use suite::{CaseSpec, Suite};

/// The kinds of unusual values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    WrongType,
    Empty,
    Zero,
    Negative,
    Huge,
    BeyondInteger,
    Duplicate,
    Unicode,
    Control,
    OverLong,
}

use Kind::{BeyondInteger, Control, Duplicate, Empty, Huge, Negative, OverLong, Unicode, WrongType, Zero};

/// Placeholder for a number that no TOML value can hold.
const BEYOND: &str = "a number of more than 64 bits";
/// More characters than a text may have.
const TOO_LONG: usize = 11_000;
/// More characters than a content may have; it is used only where needed, since such texts are slow in a debug build.
const TOO_LONG_CONTENT: usize = 70_000;
/// The keys with contents.
const CONTENTS: [&str; 3] = [".body", "cases(output).is", "secret[].data.*"];
/// More than any list or map may have.
const MANY: usize = 1001;

/// Accepted values, each with the reason. The first column is the end of the key; `*` is a key of a map, and `[]` an
/// entry of a list.
const FINE: [(&str, Kind, &str); 73] = [
    (".set", Empty, "an empty list is the same as none"),
    ("(nemesis).faults", Empty, "an empty list is the same as none"),
    ("(nemesis).faults", Duplicate, "it is drawn more often"),
    ("(nemesis).steps", Empty, "an empty list is the same as none"),
    ("(nemesis).steps", Duplicate, "it hits two replicas at once"),
    ("(nemesis).steps[].at_ms", Zero, "it begins at once"),
    ("(nemesis).steps[].on", Zero, "ordinals begin at 0"),
    (".values", Empty, "an empty list is the same as none"),
    (".needs", Empty, "an empty list is the same as none"),
    ("members.roles", Empty, "an empty list is the same as none"),
    ("headers", Empty, "an empty table is the same as none"),
    ("timeouts_s", Empty, "the default is for every case"),
    ("limits_s", Empty, "every state has a limit of its own"),
    ("scale", Empty, "the defaults remain"),
    ("parts.*", Empty, "a part may need no others"),
    ("verify[].by", Empty, "`not_proven` gives the reason"),
    ("secret[].namespaces[]", Empty, "it is the topology's first namespace"),
    ("headers.*", Empty, "a header may be empty"),
    ("secret[].data.*", Empty, "a Secret may contain anything"),
    ("secret[].data.*", Unicode, "a Secret may contain anything"),
    ("secret[].data.*", Control, "a Secret may contain anything"),
    ("leader.leader", Empty, "the pointer to the whole response"),
    ("leader.own", Empty, "the pointer to the whole response"),
    ("members.items", Empty, "the pointer to the whole response"),
    ("members.name", Empty, "the pointer to the whole item"),
    ("members.role", Empty, "the pointer to the whole item"),
    ("write.id", Empty, "the pointer to the whole response"),
    ("read.value", Empty, "the pointer to the whole response"),
    ("find.items", Empty, "the pointer to the whole response"),
    ("find.value", Empty, "the pointer to the whole item"),
    ("find.id", Empty, "the pointer to the whole item"),
    ("cases(answers).value", Empty, "the pointer to the whole response"),
    (").pod", Empty, "the pointer to the whole response"),
    (".pattern", Unicode, "programs speak any language"),
    (".expect", Unicode, "programs speak any language"),
    (".error", Unicode, "programs speak any language"),
    (".refused", Unicode, "programs speak any language"),
    (".send", Unicode, "it is sent as it is"),
    ("health.request.status", Zero, "the exit status of a success"),
    (".exec[]", Empty, "an argument may be empty"),
    (".exec[]", Unicode, "it is passed as it is"),
    (".exec", Duplicate, "a command may repeat a word"),
    ("exec", Empty, "the defaults remain"),
    ("http.ca", Unicode, "whether it is a certificate is known when it is used"),
    ("http.ca", Control, "whether it is a certificate is known when it is used"),
    (".send", Control, "it is sent as it is"),
    ("load.during", Zero, "the default: without a quorum no write is acknowledged meanwhile"),
    ("members.demotion_s", Zero, "the default: a dead member stops counting at once"),
    (").reserve", Zero, "the default: no connection is reserved"),
    ("cases(slow_network).delay_ms", Zero, "packets are only lost, or late by the jitter"),
    ("cases(slow_network).jitter_ms", Zero, "every packet is equally late"),
    ("cases(slow_network).loss_percent", Zero, "packets are only late"),
    ("cases(replicas_are).replicas.*", Zero, "a workload may be scaled to zero"),
    ("note", Unicode, "text for people"),
    (".asks", Unicode, "text for people"),
    (".not_proven", Unicode, "text for people"),
    (".says", Unicode, "programs speak any language"),
    (".reason", Unicode, "it is compared as it is"),
    (".is", Unicode, "it is compared as it is"),
    ("cases(output).is", Control, "a file may contain anything"),
    ("drift).annotations.*", Unicode, "an annotation may contain anything"),
    ("from.values[]", Unicode, "the chart of a git revision is not here yet"),
    (".placeholder", Unicode, "it is searched as it is"),
    ("cases(output).file", Unicode, "a file may have such a name"),
    (".body", Unicode, "it is sent as it is"),
    (".body", Control, "it is sent as it is"),
    ("members.voter", Unicode, "it is compared as it is"),
    ("members.roles[]", Unicode, "it is compared as it is"),
    (".repository", Unicode, "a chart's values may have such names"),
    (".tag", Unicode, "a chart's values may have such names"),
    (".registry", Unicode, "a chart's values may have such names"),
    (".digest", Unicode, "a chart's values may have such names"),
    ("scale.value", Unicode, "a chart's values may have such names"),
];

/// Values that only the loader can refuse, since the schema checks one value at a time.
const ONLY_THE_LOADER: [(&str, Kind, &str); 19] = [
    ("chart", Unicode, "whether the folder exists"),
    (".pattern", Unicode, "whether it has a group"),
    ("write.request.status", Zero, "whether it is of a command"),
    ("(liveness_restarts).request.status", Zero, "whether it is of a command"),
    (".values[]", Unicode, "whether the file exists"),
    ("from.image", Unicode, "whether it is an image"),
    ("release", Duplicate, "whether the name is used twice"),
    ("topology", Duplicate, "whether the name is used twice"),
    ("workload", Duplicate, "whether the name is used twice"),
    ("image", Duplicate, "whether the name is used twice"),
    ("topology[].cases", Duplicate, "whether the name is used twice"),
    ("release[].namespace", Empty, "whether others need it in its namespace"),
    ("parts.*[]", Unicode, "whether the part exists"),
    ("(nemesis).steps[].at_ms", Huge, "whether it ends in time"),
    ("(nemesis).steps[].for_ms", Huge, "whether it ends in time"),
    ("(nemesis).steps[].for_ms", Zero, "whether it is a kill"),
    ("(nemesis).steps[].on", Huge, "whether there is such a replica"),
    ("upgrade", Empty, "whether a case needs it"),
    ("upgrade.set", Empty, "whether a case needs it"),
];

/// The schema as editors use it.
const SCHEMA: &str = include_str!("../../../../docs/suite.schema.json");

/// The schema, compiled.
struct Schema {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Schema {
    fn compiled() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("suite", serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let index = compiler.compile("suite", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn takes(&self, suite: &Json) -> bool {
        self.schemas.validate(suite, self.index).is_ok()
    }
}

/// A step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum To {
    Key(String),
    At(usize),
}

/// One value of an example, replaced.
struct Mutant {
    /// The key, such as `topology[].cases(job_fails).says`.
    key: String,
    kind: Kind,
    way: Vec<To>,
    document: Table,
}

/// The result of loading a mutant.
#[derive(Debug, PartialEq, Eq)]
enum Loaded {
    Accepted,
    RefusedByBoth,
    RefusedByTheLoader(String),
    Broken(&'static str, String),
}

/// Returns four suites: one with a single chart, one with releases and every parameter of every case, one with several
/// workloads, and one with a chart that is pulled.
fn examples() -> Vec<Table> {
    let one: Table = toml::from_str(&documented()).unwrap();
    let mut several: Table = toml::from_str(&blocks("```toml several\n")).unwrap();
    let mut workload = one["workload"].as_table().unwrap().clone();
    workload.insert("deployment".to_owned(), workload["stateful_set"].clone());
    workload.remove("stateful_set");
    several.insert("workload".to_owned(), workload.into());
    for key in ["http", "records", "upgrade"] {
        several.insert(key.to_owned(), one[key].clone());
    }
    let releases = several["release"].as_array_mut().unwrap();
    for namespace in ["staging", "prod"] {
        let release = format!("name = \"server\"\nchart = \"server\"\nnamespace = \"{namespace}\"");
        releases.insert(1, toml::from_str::<Table>(&release).unwrap().into());
    }
    let cases = blocks("```toml cases\n");
    let cases: Vec<String> = cases.lines().filter(|line| !line.is_empty()).map(|line| format!("{line},")).collect();
    let cases = format!("cases = [\"install\", \"ready\", \"job_completes\",\n{}\n]", cases.join("\n"));
    let topology = format!("name = \"all\"\nreplicas = 3\n{cases}");
    several.insert("topology".to_owned(), vec![toml::from_str::<Table>(&topology).unwrap()].into());
    let requests: Table = toml::from_str(&blocks("```toml requests\n")).unwrap();
    let [workloads, pulled] = ["workloads", "pulled"].map(|kind| blocks(&format!("```toml {kind}\n")));
    vec![one, several, requests, toml::from_str(&workloads).unwrap(), toml::from_str(&pulled).unwrap()]
}

/// Returns a folder with the charts and values files of the examples.
fn charts() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for chart in ["suite", "database", "suite/server"].map(|chart| folder.path().join(chart)) {
        fs::create_dir_all(chart.join("ci")).unwrap();
        for file in ["Chart.yaml", "ci/r3-values.yaml", "ci/db-values.yaml", "values-prod.yaml", "prod.yaml"] {
            fs::write(chart.join(file), "").unwrap();
        }
    }
    folder
}

/// Reads a suite as [`load::read`] does, from a text.
fn load(folder: &Path, text: &str) -> anyhow::Result<Suite> {
    let file = folder.join("suite/e2e.toml");
    let suite = load::parse(&file, text, &cases::kinds())?;
    load::check_files(&file, text, &suite)?;
    Ok(suite)
}

fn text(document: &Table) -> String {
    toml::to_string(document).unwrap().replace(&format!("{BEYOND:?}"), "18446744073709551616")
}

fn mutants(example: &Table) -> Vec<Mutant> {
    let mut ways = Vec::new();
    walk(&Value::Table(example.clone()), &mut Vec::new(), &mut ways);
    let mut mutants = Vec::new();
    for way in ways {
        let key = key(example, &way);
        for (kind, value) in instead(&key, find(example, &way)) {
            let mut document = example.clone();
            *find_mut(&mut document, &way) = value;
            mutants.push(Mutant { key: key.clone(), kind, way: way.clone(), document });
        }
        mutants.extend(renamed(example, &way).into_iter().map(|(kind, document)| {
            let key = format!("{key} (its name)");
            Mutant { key, kind, way: way.clone(), document }
        }));
    }
    mutants
}

fn walk(value: &Value, way: &mut Vec<To>, ways: &mut Vec<Vec<To>>) {
    let steps: Vec<(To, &Value)> = match value {
        Value::Table(table) => table.iter().map(|(key, value)| (To::Key(key.clone()), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (To::At(index), value)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in steps {
        way.push(step);
        ways.push(way.clone());
        walk(value, way, ways);
        way.pop();
    }
}

fn find<'a>(document: &'a Table, way: &[To]) -> &'a Value {
    let mut steps = way.iter();
    let Some(To::Key(first)) = steps.next() else { panic!("{way:?}") };
    steps.fold(&document[first], |value, step| match step {
        To::Key(key) => &value[key.as_str()],
        To::At(index) => &value[*index],
    })
}

fn find_mut<'a>(document: &'a mut Table, way: &[To]) -> &'a mut Value {
    let mut steps = way.iter();
    let Some(To::Key(first)) = steps.next() else { panic!("{way:?}") };
    steps.fold(document.get_mut(first).unwrap(), |value, step| match step {
        To::Key(key) => &mut value[key.as_str()],
        To::At(index) => &mut value[*index],
    })
}

/// Returns a key such as `release[].name`; a case is named by its kind, and the keys of a map are `*`.
fn key(example: &Table, way: &[To]) -> String {
    let mut name = String::new();
    for (depth, step) in way.iter().enumerate() {
        match step {
            To::Key(_) if depth > 0 && is_map(&name) => name += ".*",
            To::Key(key) => name.extend([if name.is_empty() { "" } else { "." }, key]),
            To::At(_) if name == "topology[].cases" => {
                let case = find(example, &way[..=depth]);
                let kind = case.get("case").or(Some(case)).and_then(Value::as_str).unwrap();
                name.extend(["(", kind, ")"]);
            }
            To::At(_) => name += "[]",
        }
    }
    name
}

/// Whether the keys of this table are chosen by the suite.
fn is_map(key: &str) -> bool {
    ["headers", "annotations", "secret[].data", "timeouts_s", "limits_s", "targets", "parts", "replicas_are).replicas"]
        .iter()
        .any(|map| key.ends_with(map))
}

fn instead(key: &str, value: &Value) -> Vec<(Kind, Value)> {
    let is_content = CONTENTS.iter().any(|content| key.ends_with(content));
    let too_long = if is_content { TOO_LONG_CONTENT } else { TOO_LONG };
    match value {
        Value::String(_) => vec![
            (WrongType, 7.into()),
            (Empty, "".into()),
            (Unicode, "ünï\u{202e}cödé/../x".into()),
            (Control, "a\u{7}b".into()),
            (OverLong, "x".repeat(too_long).into()),
        ],
        Value::Integer(_) => vec![
            (WrongType, "7".into()),
            (Zero, 0.into()),
            (Negative, (-1).into()),
            (Huge, i64::MAX.into()),
            (BeyondInteger, BEYOND.into()),
        ],
        Value::Array(items) => {
            let twice = items.first().map(|first| (Duplicate, vec![first.clone(); 2].into()));
            let many = items.first().and_then(Value::as_str).map(|first| {
                let many: Vec<Value> = (0..MANY).map(|number| format!("{first}{number}").into()).collect();
                (OverLong, many.into())
            });
            [(WrongType, "x".into()), (Empty, Value::Array(Vec::new()))].into_iter().chain(twice).chain(many).collect()
        }
        Value::Table(_) => vec![(WrongType, 7.into()), (Empty, Table::new().into())],
        _ => vec![(WrongType, "x".into())],
    }
}

/// Returns a map with one of its keys renamed.
fn renamed(example: &Table, way: &[To]) -> Vec<(Kind, Table)> {
    let Some((To::Key(name), parent)) = way.split_last() else { return Vec::new() };
    if parent.is_empty() || !is_map(&key(example, parent)) {
        return Vec::new();
    }
    let names = [(Empty, String::new()), (Unicode, "ü\u{202e} x".to_owned()), (Control, "a\u{7}b".to_owned())];
    let names = names.into_iter().chain([(OverLong, "x".repeat(TOO_LONG))]);
    let with = |(kind, new): (Kind, String)| {
        let mut document = example.clone();
        let map = find_mut(&mut document, parent).as_table_mut().unwrap();
        let value = map.remove(name).unwrap();
        map.insert(new, value);
        (kind, document)
    };
    names.map(with).collect()
}

/// Loads a mutant, which must be refused with file and line, or accepted.
fn load_mutant(folder: &Path, schema: &Schema, mutant: &Mutant) -> Loaded {
    let text = text(&mutant.document);
    let json: Option<Json> = toml::from_str(&text).ok();
    let fits = json.is_some_and(|json| schema.takes(&json));
    let error = match load(folder, &text) {
        Ok(_) if fits => return Loaded::Accepted,
        Ok(_) => return Loaded::Broken("the loader accepts what the schema refuses", String::new()),
        Err(error) => error,
    };
    let message = format!("{error:#}");
    let behind = message.strip_prefix(&format!("{}:", folder.join("suite/e2e.toml").display()));
    let line: Option<usize> = behind.and_then(|rest| rest.split(':').next()?.parse().ok());
    match (error.is::<UsageError>(), line, message.chars().count()) {
        (false, ..) => Loaded::Broken("it is not a usage error", message),
        (_, None, _) => Loaded::Broken("it names no line", message),
        // If only the loader refuses it, the fault may be on another line.
        (_, Some(line), _) if !fits && !lines(mutant, &text).contains(&line) => {
            Loaded::Broken("it names another line", message)
        }
        (.., 4000..) => Loaded::Broken("it is too long", message.chars().take(300).collect()),
        _ if fits => Loaded::RefusedByTheLoader(message),
        _ => Loaded::RefusedByBoth,
    }
}

/// Returns the lines of a mutant's value, and of the lists and tables around it.
fn lines(mutant: &Mutant, text: &str) -> BTreeSet<usize> {
    let steps = mutant.way.iter().map(|step| match step {
        To::Key(key) => Step::Key(key),
        To::At(index) => Step::At(*index),
    });
    let steps: Vec<_> = steps.collect();
    // A number that TOML does not have, or a key that is there twice, is no document: then the text itself is looked
    // at.
    let around = (1..=steps.len()).filter_map(|length| load::line_of(text, &steps[..length]));
    let beyond = text.lines().position(|line| line.contains("18446744073709551616")).map(|line| line + 1);
    around.chain(beyond).collect()
}

/// Returns the row of a list that matches a mutant.
fn row(list: &[(&'static str, Kind, &'static str)], mutant: &Mutant) -> Option<usize> {
    list.iter().position(|(key, kind, _)| mutant.key.ends_with(key) && *kind == mutant.kind)
}

#[test]
fn every_unusual_value_is_refused_with_its_line_or_listed() {
    let (folder, schema) = (charts(), Schema::compiled());
    let (mut fine, mut only_the_loader) = (BTreeSet::new(), BTreeSet::new());
    let (mut tried, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for example in examples() {
        load(folder.path(), &text(&example)).unwrap();
        for mutant in mutants(&example) {
            if !tried.insert((mutant.key.clone(), mutant.kind)) {
                continue;
            }
            let name = format!("{:?}, {:?}", mutant.key, mutant.kind);
            match (load_mutant(folder.path(), &schema, &mutant), row(&FINE, &mutant), row(&ONLY_THE_LOADER, &mutant)) {
                (Loaded::Accepted, Some(row), _) => drop(fine.insert(row)),
                (Loaded::RefusedByTheLoader(_), _, Some(row)) => drop(only_the_loader.insert(row)),
                (Loaded::RefusedByBoth, ..) => {}
                (came, ..) => drop(wrong.insert(format!("{name}: {came:?}"))),
            }
        }
    }
    assert!(tried.len() > 500, "only {} were tried", tried.len());
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{} are neither refused by both nor listed:\n{}", wrong.len(), wrong.join("\n"));
    for (list, seen) in [(&FINE[..], fine), (&ONLY_THE_LOADER[..], only_the_loader)] {
        let stale: Vec<_> = (0..list.len()).filter(|row| !seen.contains(row)).map(|row| list[row]).collect();
        assert!(stale.is_empty(), "rows that match no value: {stale:?}");
    }
}

#[test]
fn the_examples_have_every_key_of_the_schema() {
    let schema: Json = serde_json::from_str(SCHEMA).unwrap();
    let mut seen = BTreeSet::new();
    for example in examples() {
        mark(&schema, "", &serde_json::to_value(&example).unwrap(), &mut seen);
    }
    let mut all = BTreeSet::new();
    properties(&schema, "", &mut all);
    let missing: Vec<_> = all.difference(&seen).collect();
    assert!(missing.is_empty(), "docs/suite.md has no example of {missing:?}");
}

/// Collects every key of the schema that a document uses, by its place in the schema.
fn mark(schema: &Json, at: &str, value: &Json, seen: &mut BTreeSet<String>) {
    let node = schema.pointer(at).unwrap();
    if let Some(to) = node["$ref"].as_str() {
        mark(schema, to.trim_start_matches('#'), value, seen);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let place = format!("{at}/properties/{key}");
        if schema.pointer(&place).is_some() {
            mark(schema, &place, value, seen);
            seen.insert(place);
        } else if node["additionalProperties"].is_object() {
            mark(schema, &format!("{at}/additionalProperties"), value, seen);
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| node["items"].is_object()) {
        mark(schema, &format!("{at}/items"), item, seen);
    }
    if value.is_array() && node["then"].is_object() {
        mark(schema, &format!("{at}/then"), value, seen);
    }
    if value.is_object() && node["else"].is_object() {
        mark(schema, &format!("{at}/else"), value, seen);
    }
    for (index, branch) in node["allOf"].as_array().into_iter().flatten().enumerate() {
        if branch["if"]["properties"]["case"]["const"] == value["case"] {
            mark(schema, &format!("{at}/allOf/{index}/then"), value, seen);
        }
    }
}

/// Collects every key of the schema, by its place.
fn properties(schema: &Json, at: &str, all: &mut BTreeSet<String>) {
    match schema.pointer(at).unwrap() {
        Json::Object(node) => {
            for key in node.keys().filter(|key| *key != "if") {
                let place = format!("{at}/{key}");
                if at.ends_with("/properties") {
                    all.insert(place.clone());
                }
                properties(schema, &place, all);
            }
        }
        Json::Array(items) => (0..items.len()).for_each(|index| properties(schema, &format!("{at}/{index}"), all)),
        _ => {}
    }
}

/// serde's error for an unknown parameter lists the known ones.
#[test]
fn the_schema_has_every_parameter_of_every_case() {
    let schema: Json = serde_json::from_str(SCHEMA).unwrap();
    let branches = schema["$defs"]["case"]["else"]["allOf"].as_array().unwrap();
    let listed = schema["$defs"]["case_kind"]["enum"].as_array().unwrap();
    for name in listed {
        let kind = cases::kinds().into_iter().find(|kind| Some(kind.name) == name.as_str()).unwrap();
        assert!(kind.has_topology(), "{name}");
        let mut case = CaseSpec::from(kind);
        case.with.insert("unknown_key".to_owned(), 1.into());
        let error = (kind.parameters.check)(&case).unwrap_err();
        let known: BTreeSet<_> =
            error.split("expected").skip(1).flat_map(|rest| rest.split('`').skip(1).step_by(2)).collect();
        let branch = branches.iter().find(|branch| branch["if"]["properties"]["case"]["const"] == *name);
        let keys = branch.and_then(|branch| branch["then"]["properties"].as_object());
        let written: BTreeSet<_> = keys.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        assert_eq!(written, known, "{name}");
    }
    let always = [
        "chart::lint",
        "chart::template",
        "chart::api_versions",
        "chart::upgradable",
        "chart::dry_run",
        "cluster::create",
        "images::load",
        "cluster::delete",
    ];
    assert_eq!(listed.len(), cases::kinds().len() - always.len());
}
