//! The import graph of a crate's modules. Siblings must not form a cycle, at the top level and in each folder; a parent
//! and its own children may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::graph::{Graph, cycle};
use crate::packages;

/// A module's path below the crate's root, `["registry", "validate"]`; the root's is empty.
type ModulePath = Vec<String>;

#[test]
fn modules_form_no_cycle() {
    let mut cycles = Vec::new();
    for (package, folder) in packages() {
        for (place, graph) in siblings(&modules(&folder.join("src"))) {
            if let Some(cycle) = cycle(&graph) {
                cycles.push(format!("{package}::{place}: {}", cycle.join(" → ")));
            }
        }
    }
    assert!(cycles.is_empty(), "modules that import each other in a cycle:\n{}", cycles.join("\n"));
}

#[test]
fn imports_are_found() {
    let here = ["cluster".to_owned(), "kind".to_owned()];
    let text = "use crate::{exit, tools::Docker};\nuse super::lease::Lease;\nlet a = crate::images::Archive {};\n\
                // crate::not_this\n#[cfg(test)]\nmod tests {\n    use crate::nor_this;\n}\n";
    let found: Vec<String> = imports(&here, text).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["cluster::lease::Lease", "exit", "images::Archive", "tools::Docker"]);
}

#[test]
fn a_planted_cycle_is_found() {
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<ModulePath>();
    let uses = |from: &str, to: &str| (path(from), BTreeSet::from([path(to)]));
    let found = siblings(&BTreeMap::from([uses("a::b", "c::Type"), uses("c", "a::function"), uses("a::d", "a::b::X")]));
    let cycles: Vec<_> = found.iter().filter_map(|(place, graph)| Some((place.as_str(), cycle(graph)?))).collect();
    assert_eq!(cycles, [("", ["a", "c", "a"].map(str::to_owned).to_vec())]);
}

/// Returns what each module of a crate imports from the same crate, except in tests.
fn modules(src: &Path) -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let mut files = Vec::new();
    walk(src, &mut files);
    let module = |file: PathBuf| {
        let path = module_path(file.strip_prefix(src).unwrap());
        let is_test = path.iter().any(|name| name.ends_with("tests") || name == "testing");
        (!is_test).then(|| {
            let found = imports(&path, &std::fs::read_to_string(&file).unwrap());
            (path, found)
        })
    };
    files.into_iter().filter_map(module).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module_path(file: &Path) -> ModulePath {
    let mut path: ModulePath = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        path.pop();
    }
    path
}

/// Returns every path of this crate that a module's text names with `crate::` or `super::`.
fn imports(module: &[String], text: &str) -> BTreeSet<ModulePath> {
    let code: String = text.lines().take_while(|line| *line != "#[cfg(test)]").map(without_comment).collect();
    let mut found = BTreeSet::new();
    for (word, base) in [("crate::", &[][..]), ("super::", parent(module))] {
        for (at, _) in code.match_indices(word) {
            let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if is_whole {
                found.extend(paths(&code[at + word.len()..]).into_iter().map(|path| [base, &path].concat()));
            }
        }
    }
    found
}

fn parent(module: &[String]) -> &[String] {
    module.split_last().map_or(&[], |(_, parent)| parent)
}

fn without_comment(line: &str) -> String {
    format!("{} ", line.split("//").next().unwrap_or_default())
}

/// Returns the paths at the beginning of a text: one, or several in braces (of which the first level is enough).
fn paths(text: &str) -> Vec<ModulePath> {
    let Some(inner) = text.strip_prefix('{') else { return vec![path(text)] };
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for character in inner.chars() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ if depth == 0 => parts.last_mut().unwrap().push(character),
            _ => {}
        }
    }
    parts.iter().map(|part| path(part.trim())).filter(|path| !path.is_empty()).collect()
}

fn path(text: &str) -> ModulePath {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Returns the graph of the sibling modules at each place: an import counts where the paths of both modules diverge.
fn siblings(modules: &BTreeMap<ModulePath, BTreeSet<ModulePath>>) -> BTreeMap<String, Graph> {
    let folders: BTreeSet<&[String]> = modules.keys().flat_map(|path| (0..=path.len()).map(|n| &path[..n])).collect();
    let mut graphs: BTreeMap<String, Graph> = BTreeMap::new();
    for (from, uses) in modules {
        for to in uses {
            let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            let is_module = to.len() > common && folders.contains(&to[..=common]);
            if let (Some(name), true) = (from.get(common), is_module) {
                let graph = graphs.entry(from[..common].join("::")).or_default();
                graph.entry(name.clone()).or_default().insert(to[common].clone());
            }
        }
    }
    graphs
}
