//! What `docs/suite.md` and `docs/suite.schema.json` say of the cases is generated: `UPDATE_DOCS=1 cargo test --lib
//! documented`.

use std::path::Path;

use serde_json::{Value, json};

use crate::cases;
use suite::CaseKind;

/// The comments around the table in `docs/suite.md`.
const BEGIN: &str = "<!-- The table of cases, by `UPDATE_DOCS=1 cargo test --lib documented`. -->\n";
const END: &str = "<!-- End of the table of cases. -->\n";

#[test]
fn the_table_of_cases_is_up_to_date() {
    compare("suite.md", |document| {
        let (before, rest) = document.split_once(BEGIN).expect("the table's beginning");
        let (_, after) = rest.split_once(END).expect("the table's end");
        format!("{before}{BEGIN}{}{END}{after}", table())
    });
}

#[test]
fn the_schema_of_cases_is_up_to_date() {
    compare("suite.schema.json", |document| {
        let mut schema: Value = serde_json::from_str(document).unwrap();
        let of_topologies = || cases::kinds().into_iter().filter(|kind| kind.has_topology());
        schema["$defs"]["case_kind"]["enum"] = of_topologies().map(|kind| kind.name).collect();
        schema["$defs"]["case"]["else"]["allOf"] = of_topologies().filter_map(branch).collect();
        serde_json::to_string_pretty(&schema).unwrap() + "\n"
    });
}

/// Compares a file in docs/ with its generated content, or updates it.
fn compare(name: &str, generate: impl Fn(&str) -> String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let found = std::fs::read_to_string(&file).unwrap();
    let generated = generate(&found);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, generated).unwrap();
        return;
    }
    assert!(found == generated, "docs/{name} is stale: run UPDATE_DOCS=1 cargo test --lib documented");
}

/// Returns the part of the schema for a kind that takes parameters.
fn branch(kind: &CaseKind) -> Option<Value> {
    let schema = (kind.parameters.schema?)();
    let required = schema.get("required").map(|required| ("required".to_owned(), required.clone()));
    let mut then = json!({ "properties": schema["properties"] });
    then.as_object_mut()?.extend(required);
    Some(json!({ "if": { "properties": { "case": { "const": kind.name } } }, "then": then }))
}

fn table() -> String {
    let head = "\n| case | what has to hold | parameters | needs |\n|---|---|---|---|\n".to_owned();
    let rows = cases::kinds().into_iter().filter(|kind| kind.has_topology()).map(row);
    head + &rows.collect::<String>() + "\n"
}

fn row(kind: &CaseKind) -> String {
    let schema = kind.parameters.schema.map(|schema| schema());
    let keys = schema.iter().flat_map(|schema| schema["properties"].as_object().unwrap().keys());
    let common = [(kind.takes_release, "release"), (kind.takes_workload, "workload")];
    let common = common.into_iter().filter_map(|(takes, key)| takes.then_some(key));
    let parameters = keys.map(String::as_str).chain(common);
    let needs = kind.needs.iter().filter(|need| need.has_topology()).map(|need| format!("`{}`", need.name));
    let replicas = (kind.fewest_replicas > 1).then(|| format!("{} replicas", kind.fewest_replicas));
    let cells = format!(
        "| `{}` | {} | {} | {} |\n",
        kind.name,
        kind.summary,
        parameters.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
        needs.chain(replicas).collect::<Vec<_>>().join(", ")
    );
    cells.replace("  ", " ")
}
