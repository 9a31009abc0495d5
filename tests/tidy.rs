//! Checks the sources against the rules of docs/CONTRIBUTING.md; each finding names file and fix.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

#[path = "command.rs"]
mod command;

use crate::command::command;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;
const FILE_LINES_MEDIAN_MAX: usize = 200;
const FUNCTION_LINES_MAX: usize = 70;
const FUNCTION_LINES_MEDIAN_MAX: usize = 15;
const ROOT_ITEMS_MAX: usize = 40;

struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".git"));
        if path.is_dir() && !hidden && !path.ends_with("target") {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn sources(extensions: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| extensions.contains(&&*e.to_string_lossy())));
    paths.sort();
    paths.into_iter().map(|path| Source { text: std::fs::read_to_string(&path).unwrap(), path }).collect()
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

/// Returns name and number of lines of each function, as formatted by rustfmt: from `fn` to the closing brace at the
/// same indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let is_function = |line: &str| {
        let mut words =
            line.split_whitespace().skip_while(|w| w.starts_with("pub") || ["async", "const", "unsafe"].contains(w));
        words.next() == Some("fn")
    };
    let length = |start: usize| {
        let indent = lines[start].len() - lines[start].trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        lines[start..].iter().position(|line| *line == closing).map(|count| count + 1)
    };
    let named = |start: usize| {
        lines[start].split("fn ").nth(1).unwrap_or_default().split(['(', '<']).next().unwrap().to_owned()
    };
    let starts = (0..lines.len()).filter(|&i| is_function(lines[i]) && !lines[i].ends_with([';', '}']));
    starts.filter_map(|start| Some((named(start), length(start)?))).collect()
}

#[test]
fn files_are_short_or_give_a_reason() {
    let sources = sources(&["rs"]);
    for Source { path, text } in &sources {
        let (lines, first) = (text.lines().count(), text.lines().next().unwrap_or_default());
        let excused = first.starts_with("//!") && first.contains("long because");
        assert!(
            lines <= FILE_LINES_MAX || excused,
            "{}: {lines} lines; split it by concern, or begin its first line with the reason: `//! … (long because …)`",
            path.display()
        );
    }
    let median = median(sources.iter().map(|s| s.text.lines().count()).collect());
    assert!(median < FILE_LINES_MEDIAN_MAX, "files have {median} lines in the median: split the longest ones");
}

#[test]
fn functions_are_short() {
    let mut lengths = Vec::new();
    for Source { path, text } in sources(&["rs"]) {
        for (name, lines) in functions(&text) {
            assert!(
                lines <= FUNCTION_LINES_MAX,
                "{}: fn {name} has {lines} lines; split it into steps",
                path.display()
            );
            lengths.push(lines);
        }
    }
    let median = median(lengths);
    assert!(median < FUNCTION_LINES_MEDIAN_MAX, "functions have {median} lines in the median: split the longest ones");
}

#[test]
fn the_first_line_of_every_file_describes_it() {
    for Source { path, text } in sources(&["rs"]) {
        let is_part_of_a_module = path.ends_with("tests.rs");
        assert!(
            text.starts_with("//!") || is_part_of_a_module,
            "{}: begin it with a `//!` line that says which case, subcommand or concern it contains",
            path.display()
        );
    }
}

#[test]
fn only_the_process_modules_start_processes() {
    // `front` becomes cargo, and starts nothing; `client` runs a suite's commands inside a pod.
    let allowed = ["xtask/process/", "xtask/embedded/", "xtask/front/", "xtask/client/src/exec.rs", "tests/"];
    for Source { path, text } in sources(&["rs"]) {
        let path = path.strip_prefix(root()).unwrap();
        let starts = text.contains("Command::new(");
        assert!(
            !starts || allowed.iter().any(|a| path.starts_with(a)),
            "{}: start processes through `process`, which bounds, groups and logs them",
            path.display()
        );
    }
}

#[test]
fn links_between_documents_resolve() {
    for Source { path, text } in sources(&["md"]) {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let outside = file.is_empty() || file.contains("://") || file.contains(' ');
            let there = path.parent().unwrap().join(file).exists();
            assert!(outside || there, "{}: the target of the link {target} does not exist", path.display());
        }
    }
}

#[test]
fn the_function_counter_counts() {
    let text = "fn one() {\n    two();\n}\n\nimpl A {\n    pub async fn three(\n        a: u8,\n    ) {\n    }\n}\n";
    assert_eq!(functions(text), [("one".to_owned(), 3), ("three".to_owned(), 4)]);
}

/// Returns each package of the tree with its features, one per line: `hyper v1.12.0 client,full`.
fn packages(edges: &str) -> BTreeSet<String> {
    let args = ["tree", "--workspace", "--locked", "--prefix", "none", "--format", "{p} {f}", "--edges", edges];
    let listed = command(env!("CARGO"), args).dir(root()).read().unwrap();
    listed.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn programs_and_tests_use_the_same_features() {
    let (programs, tests) = (packages("normal,build"), packages("normal,build,dev"));
    let twice: Vec<_> = programs.difference(&tests).collect();
    assert!(programs.len() > 100, "{programs:?}");
    assert!(
        twice.is_empty(),
        "compiled twice, because tests enable more features than programs; enable those for both: {twice:?}"
    );
}

/// The name of each public item that a text declares, outside of its tests.
fn public_items(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let declared = |line: &str| {
        let mut words = line.trim().strip_prefix("pub ")?.split_whitespace();
        let kinds = ["fn", "struct", "enum", "const", "static", "type", "trait"];
        let mut kind = words.find(|word| !["async", "unsafe"].contains(word))?;
        let mut name = words.next()?;
        if kind == "const" && name == "fn" {
            (kind, name) = ("fn", words.next()?);
        }
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        kinds.contains(&kind).then(|| name[..end].to_owned())
    };
    code.lines().filter_map(declared).collect()
}

/// Counts each word of the code, without comments.
fn words(sources: &[Source]) -> BTreeMap<&str, usize> {
    let mut words = BTreeMap::new();
    for line in sources.iter().flat_map(|source| source.text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        for word in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
            *words.entry(word).or_insert(0) += 1;
        }
    }
    words
}

/// The compiler takes every public item of a library for used.
#[test]
fn every_public_item_is_used() {
    let sources = sources(&["rs"]);
    let words = words(&sources);
    let mut unused = Vec::new();
    for Source { path, text } in sources.iter().filter(|source| !source.path.starts_with(root().join("tests"))) {
        let items = public_items(text).into_iter().filter(|name| words.get(name.as_str()) == Some(&1));
        unused.extend(items.map(|name| format!("{}: {name}", path.display())));
    }
    assert!(unused.is_empty(), "nothing uses these; delete them:\n{}", unused.join("\n"));
}

#[test]
fn public_items_are_found() {
    let text = "pub struct A;\n    pub async fn b<T>(t: T) {}\npub const fn c() {}\npub const D: u8 = 0;\npub mod e;\nfn f() {}\n\
                #[cfg(test)]\npub fn g() {}\n";
    assert_eq!(public_items(text), ["A", "b", "c", "D"]);
}

/// What a crate shows at its root fits one screen of `cargo doc`.
#[test]
fn a_crate_shows_few_items_at_its_root() {
    for Source { path, text } in sources(&["rs"]).iter().filter(|source| source.path.ends_with("src/lib.rs")) {
        let shown = text.lines().filter(|line| line.starts_with("pub ")).count();
        assert!(shown <= ROOT_ITEMS_MAX, "{}: {shown} public items at the root; group them", path.display());
    }
}

/// `cargo xtask lint` is the first thing that a newcomer and a CI job run; it needs no cluster.
#[test]
fn who_only_lints_compiles_no_client_of_kubernetes() {
    let words = ["tree", "--locked", "--package", "front", "--edges", "normal,build", "--prefix", "none"];
    let tree = command(env!("CARGO"), words).dir(root()).read().unwrap();
    let packages: BTreeSet<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(packages.contains("tools"), "{packages:?}");
    for heavy in ["kube-client", "k8s-openapi", "cluster", "suite"] {
        assert!(!packages.contains(heavy), "cargo tree --package front --invert {heavy} says who needs it");
    }
}

/// Returns the names of the packages that these programs consist of on a platform.
fn packages_for(package: &str, target: &str) -> BTreeSet<String> {
    let edges = ["--edges", "normal,build", "--prefix", "none", "--target", target];
    let words = [&["tree", "--locked", "--package", package][..], &edges].concat();
    let tree = command(env!("CARGO"), words).dir(root()).read().unwrap();
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Whoever develops a chart on a Mac runs it on kind in Docker Desktop.
#[test]
fn on_a_mac_the_harness_needs_nothing_of_linux() {
    let (linux, mac) = ("x86_64-unknown-linux-gnu", "aarch64-apple-darwin");
    let of_linux = ["node", "runtime", "rtnetlink", "netlink-sys", "linux-raw-sys"];
    let needed = packages_for("node", linux);
    let unknown: Vec<_> = of_linux.iter().filter(|name| !needed.contains(**name)).collect();
    assert!(unknown.is_empty(), "the embedded node no longer needs these, so this test looks for nothing: {unknown:?}");
    for program in ["xtask", "front"] {
        let found = packages_for(program, mac);
        assert!(found.contains("tools"), "{found:?}");
        for name in of_linux {
            assert!(
                !found.contains(name),
                "{program} needs {name} on a Mac; `cargo tree --package {program} --target {mac} --invert {name}` says why"
            );
        }
    }
}

/// cargo refuses an older compiler than a package asks for: the workspace can't promise less.
#[test]
fn no_dependency_needs_a_newer_rust_than_the_workspace_promises() {
    let metadata =
        command(env!("CARGO"), ["metadata", "--format-version", "1", "--locked"]).dir(root()).read().unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let rust = |package: &serde_json::Value| {
        let parts = package["rust_version"].as_str()?.split('.').map(|part| part.parse::<u32>().unwrap());
        Some(parts.collect::<Vec<_>>())
    };
    let ours = packages.iter().find(|package| package["name"] == "xtask").and_then(rust).unwrap();
    for package in packages {
        let needed = rust(package).unwrap_or_default();
        assert!(
            needed[..needed.len().min(2)] <= ours[..2],
            "{} {} needs Rust {needed:?}",
            package["name"],
            package["version"]
        );
    }
}
