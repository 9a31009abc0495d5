//! docs/systems.md: what the owners of each system wanted to be verified, and which case answers it; made of the suites.
//!
//! `UPDATE_DOCS=1 cargo test --test systems` writes it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use xtask::suite::{Question, Suite, load};

const HEAD: &str = "\
# Systems, and what is proven of them

Written by `UPDATE_DOCS=1 cargo test --test systems` from the suite files. Each row is something that the owners of a
deployment listed to be verified by hand, and the cases that answer it; or why it is not proven.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn suites() -> Vec<Suite> {
    let folders = std::fs::read_dir(root().join("helm")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = folders.filter(|folder| folder.join("e2e.toml").is_file()).collect();
    folders.sort();
    folders.iter().map(|folder| load::read(folder).unwrap()).collect()
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
        text += "| what was to be verified | by | not proven |\n|---|---|---|\n";
        suite.questions.iter().for_each(|question| writeln!(text, "{}", row(&suite, question)).unwrap());
    }
    text
}

#[test]
fn the_table_is_made_of_the_suites() {
    let file = root().join("docs/systems.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(file, document()).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(found, document(), "docs/systems.md is stale: run UPDATE_DOCS=1 cargo test --test systems");
}

#[test]
fn every_suite_has_questions() {
    let suites = suites();
    let names: Vec<_> = suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["caesium", "everything", "caelundas", "toskamesh", "volaticloud"]);
    assert!(suites.iter().all(|suite| suite.questions.len() >= 5));
}
