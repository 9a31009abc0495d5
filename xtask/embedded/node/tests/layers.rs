//! The node's modules form no cycle: neither those of the crate, nor those that stand in one folder.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_modules_of_the_crate_form_no_cycle() {
    let graph = graph(&sources());
    assert!(graph.len() > 10 && graph["api"].contains("registry"), "the imports were read: {graph:?}");
    assert_eq!(cycle(&graph), None);
}

#[test]
fn the_modules_of_a_folder_form_no_cycle() {
    let mut folders = Vec::new();
    folders_below(&sources(), &mut folders);
    assert!(folders.len() > 10, "{folders:?}");
    let cycles = folders.iter().filter_map(|folder| Some((folder, cycle(&graph(folder))?)));
    assert_eq!(cycles.collect::<Vec<_>>(), []);
}

#[test]
fn a_cycle_is_found_with_its_path() {
    let graph = |edges: &[(&str, &[&str])]| -> Graph {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        edges.iter().map(|(from, to)| ((*from).to_owned(), names(to))).collect()
    };
    let sound: [(&str, &[&str]); 3] = [("api", &["registry", "store"]), ("registry", &["store"]), ("store", &[])];
    assert_eq!(cycle(&graph(&sound)), None);
    let planted = [&sound[..2], &[("store", &["api"])]].concat();
    assert_eq!(cycle(&graph(&planted)).unwrap(), ["api", "registry", "store", "api"]);
}

#[test]
fn imports_are_read_however_they_are_written() {
    let text = "use super::pods::{self, Pod};\nuse crate::kubelet::{env, time as clock};\nlet a = super::super::b::c();\n\
                /// [`super::not_me`]\n#[cfg(test)]\nuse super::testing;";
    assert_eq!(used(text, "super").into_iter().collect::<Vec<_>>(), ["pods"]);
    assert_eq!(used(text, "crate::kubelet").into_iter().collect::<Vec<_>>(), ["env", "time"]);
    assert_eq!(used(text, "super::super").into_iter().collect::<Vec<_>>(), ["b"]);
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the first cycle: the modules on it, with the first one again at its end.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn search(graph: &Graph, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        let last = path.last()?.clone();
        for next in graph.get(&last).into_iter().flatten() {
            if let Some(begin) = path.iter().position(|one| one == next) {
                return Some([&path[begin..], std::slice::from_ref(next)].concat());
            }
            if !done.contains(next) {
                path.push(next.clone());
                let found = search(graph, path, done);
                path.pop();
                if found.is_some() {
                    return found;
                }
            }
        }
        done.insert(last);
        None
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| search(graph, &mut vec![start.clone()], &mut done))
}

/// Which modules of a folder use which others of it. What only tests use does not count.
fn graph(folder: &Path) -> Graph {
    let depth = folder.strip_prefix(sources()).unwrap().components().count();
    let path: Vec<_> = folder.strip_prefix(sources()).unwrap().iter().map(|one| one.to_str().unwrap()).collect();
    let here = [&["crate"], &path[..]].concat().join("::");
    let mut graph = Graph::new();
    for file in files(folder) {
        let module = module(&file, folder);
        let below = file.strip_prefix(folder).unwrap().components().count() - usize::from(file.ends_with("mod.rs"));
        let text = fs::read_to_string(&file).unwrap();
        let above = vec!["super"; below].join("::");
        let from = graph.entry(module.clone()).or_default();
        from.extend(used(&text, &here));
        // At the top everybody writes `crate`, and `super` there is the same.
        if depth > 0 && below > 0 {
            from.extend(used(&text, &above));
        }
        from.remove(&module);
    }
    let modules: BTreeSet<_> = graph.keys().cloned().collect();
    for used in graph.values_mut() {
        used.retain(|one| modules.contains(one));
    }
    graph
}

/// Names after `prefix::` in code that no test alone has.
fn used(text: &str, prefix: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|l| [l, "\n"]).collect();
    let separator = format!("{prefix}::");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&separator) {
        let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &code[at + separator.len()..];
        if !is_whole || rest.starts_with("super::") {
            continue;
        }
        let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or_default());
        let names = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        let word =
            |text: &str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
        found.extend(names.into_iter().map(word));
    }
    found
}

/// The module of a folder that a file belongs to.
fn module(file: &Path, folder: &Path) -> String {
    let first = file.strip_prefix(folder).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The sources of a folder's modules; without the folder's own, which put them together, and without tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() && !matches!(name, "tests" | "testing") {
            let own = path.join("mod.rs");
            found.extend(own.is_file().then_some(own));
            found.extend(files(&path));
        } else if path.extension().is_some_and(|one| one == "rs")
            && !matches!(name, "mod" | "lib" | "main" | "tests" | "testing")
        {
            found.push(path);
        }
    }
    found
}

fn folders_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in entries(folder).into_iter().filter(|path| path.is_dir()) {
        folders_below(&path, found);
        found.push(path);
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
