//! docs/systems.md: the owners' requirements for each system, and the cases that prove them; generated from the suites.
//!
//! `UPDATE_DOCS=1 cargo test --test systems` writes it.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use suite::{Question, Suite, load};

const HEAD: &str = "\
# Systems, and what is proven about each

The owners of five deployments listed what they verify by hand. Each row is an item of their lists, the cases that prove
it, and what is not proven and why. `UPDATE_DOCS=1 cargo test --test systems` writes this page from the suite files.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn suites() -> Vec<Suite> {
    let folders = std::fs::read_dir(root().join("helm")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = folders.filter(|folder| folder.join("e2e.toml").is_file()).collect();
    folders.sort();
    folders.iter().map(|folder| load::read(folder, &xtask::cases::kinds()).unwrap()).collect()
}

fn row(suite: &Suite, question: &Question) -> String {
    let name = |case: &String| {
        let alone = ["chart::", "images::"].iter().any(|group| case.starts_with(group));
        if alone { format!("`{case}`") } else { format!("`{}::{case}`", suite.name) }
    };
    let by = question.by.iter().map(name).collect::<Vec<_>>().join(", ");
    format!("| {} | {by} | {} |", question.asks, question.not_proven.as_deref().unwrap_or_default())
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for suite in suites() {
        write!(text, "\n## {}\n\n", suite.name).unwrap();
        if !suite.note.is_empty() {
            writeln!(text, "Note: {}.\n", suite.note).unwrap();
        }
        text += "| requirement | proven by | not proven |\n|---|---|---|\n";
        suite.questions.iter().for_each(|question| writeln!(text, "{}", row(&suite, question)).unwrap());
    }
    text
}

#[test]
fn the_table_matches_the_suites() {
    let file = root().join("docs/systems.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(file, document()).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(found, document(), "docs/systems.md is stale; run UPDATE_DOCS=1 cargo test --test systems");
}

#[test]
fn every_suite_has_questions() {
    let suites = suites();
    let names: Vec<_> = suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["caesium", "everything", "caelundas", "toskamesh", "volaticloud"]);
    assert!(suites.iter().all(|suite| suite.questions.len() >= 5));
}

/// Returns the keys of a table, from serde's error about an unknown key.
fn known(table: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/suite.md")).unwrap();
    let blocks = text.split("```toml").skip(1);
    let toml: Vec<_> = blocks.filter_map(|rest| rest.split_once('\n')?.1.split("```").next()).collect();
    let block = toml.iter().find(|block| block.contains(table)).unwrap_or_else(|| panic!("{table} is not documented"));
    let wrong = block.replacen(table, &format!("{table}\nunknown_key = 1"), 1);
    let name = if block.starts_with("name") { "" } else { "name = \"x\"\n" };
    let error = toml::from_str::<Suite>(&format!("{name}{wrong}")).unwrap_err().message().to_owned();
    let expected = error.split("expected").nth(1).unwrap_or_else(|| panic!("{table}: {error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_accepts_every_suite_and_has_every_key() {
    let file = root().join("docs/suite.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("suite", schema.clone()).unwrap();
    let compiled = compiler.compile("suite", &mut schemas).unwrap();
    let folders =
        ["caesium", "everything", "kubernetes-job", "toskamesh", "web-service"].map(|name| format!("helm/{name}"));
    for folder in
        folders.iter().map(String::as_str).chain(["tests/etcd", "tests/nats", "tests/postgres", "tests/redis"])
    {
        let text = std::fs::read_to_string(root().join(folder).join("e2e.toml")).unwrap();
        let suite: serde_json::Value = toml::from_str(&text).unwrap();
        if let Err(error) = schemas.validate(&suite, compiled) {
            panic!("{folder}: {error}");
        }
        let mut wrong = suite;
        wrong["unknown_key"] = 1.into();
        assert!(schemas.validate(&wrong, compiled).is_err(), "{folder}: an unknown key is accepted");
    }
    for (table, pointer) in [
        ("[workload]", "/$defs/workload"),
        ("[http]", "/$defs/http"),
        ("[tcp]", "/$defs/tcp"),
        ("[exec]", "/$defs/exec"),
        ("[health]", "/$defs/health"),
        ("[records]", "/$defs/records"),
        ("[records.write]", "/$defs/records/properties/write"),
        ("[records.read]", "/$defs/records/properties/read"),
        ("[records.find]", "/$defs/records/properties/find"),
        ("[upgrade]", "/properties/upgrade"),
        ("[upgrade.from]", "/properties/upgrade/properties/from"),
        ("[scale]", "/properties/scale"),
        ("[image]", "/$defs/image"),
        ("[members]", "/$defs/members"),
        ("[leader]", "/$defs/leader"),
        ("[load]", "/properties/load"),
        ("[[release]]", "/$defs/release"),
        ("[[secret]]", "/$defs/secret"),
        ("[[verify]]", "/$defs/verify"),
        ("[[topology]]", "/$defs/topology"),
    ] {
        let properties = schema.pointer(&format!("{pointer}/properties")).unwrap().as_object().unwrap();
        let (mut written, mut known) = (properties.keys().cloned().collect::<Vec<_>>(), known(table));
        written.sort();
        known.sort();
        assert_eq!(written, known, "{table}");
    }
}
