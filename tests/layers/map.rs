//! The map of crates in docs/architecture.md, generated from the manifests; `UPDATE_DOCS=1` rewrites it.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::{packages, read_manifest, root};

const BEGIN: &str = "<!-- The crates, from their manifests: `UPDATE_DOCS=1 cargo test --test layers` -->\n```mermaid\n";
const END: &str = "```\n";

#[test]
fn the_map_matches_the_manifests() {
    let page = root().join("docs/architecture.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let start = text.find(BEGIN).expect("docs/architecture.md has lost the comment before its map") + BEGIN.len();
    let end = start + text[start..].find(END).unwrap();
    let drawn = drawn(&reduced(&graph()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, format!("{}{drawn}{}", &text[..start], &text[end..])).unwrap();
    } else {
        assert_eq!(text[start..end], drawn, "the map is out of date; run UPDATE_DOCS=1 cargo test --test layers");
    }
}

/// Returns which crates of the workspace each crate uses.
fn graph() -> Graph {
    let packages = packages();
    let names: BTreeSet<&String> = packages.iter().map(|(name, _)| name).collect();
    let uses = |folder| {
        let manifest = read_manifest(folder);
        let keys = manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
        keys.filter(|key| names.contains(key)).cloned().collect()
    };
    packages.iter().map(|(name, folder)| (name.clone(), uses(folder))).collect()
}

/// Returns the graph without arrows that others imply: `a → c` if there are `a → b → c`.
fn reduced(graph: &Graph) -> Graph {
    let reaches = |from: &String, to: &String| {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            if seen.insert(name) {
                open.extend(&graph[name]);
            }
        }
        false
    };
    let kept = |uses: &BTreeSet<String>| {
        let is_implied = |to: &String| uses.iter().any(|other| other != to && reaches(other, to));
        uses.iter().filter(|to| !is_implied(to)).cloned().collect()
    };
    graph.iter().map(|(name, uses)| (name.clone(), kept(uses))).collect()
}

fn drawn(graph: &Graph) -> String {
    let arrows = graph.iter().flat_map(|(name, uses)| uses.iter().map(move |to| format!("  {name} --> {to}\n")));
    let alone = graph.iter().filter(|(name, uses)| uses.is_empty() && !graph.values().any(|uses| uses.contains(*name)));
    let alone = alone.map(|(name, _)| format!("  {name}\n"));
    format!("flowchart TB\n{}", arrows.chain(alone).collect::<String>())
}
