//! The runtime's modules form no cycle: neither those of the crate nor those of one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// By module, what it imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The crate's root, which re-exports from every module.
const ROOT: &str = "lib";

#[test]
fn no_modules_form_a_cycle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources: BTreeMap<String, String> = files(&src)
        .into_iter()
        .filter(|file| !file.to_string_lossy().contains("tests"))
        .map(|file| (module(file.strip_prefix(&src).unwrap()), fs::read_to_string(&file).unwrap()))
        .collect();
    assert!(sources.len() > 20, "the sources were not found: {:?}", sources.keys());
    for (folder, imports) in by_folder(&sources) {
        let found = cycle(&imports);
        assert!(found.is_none(), "modules of {folder} form a cycle: {}", found.unwrap_or_default().join(" -> "));
    }
}

#[test]
fn a_planted_cycle_is_found_with_its_path() {
    let sources = |c: &str| {
        let texts = [
            ("a", "use crate::b::B;"),
            ("b", "use crate::{c, d};"),
            ("c", c),
            ("d", ""),
            ("d::x", "use super::y::Y;"),
            ("d::y", "use crate::c;"),
        ];
        texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    };
    let found = |c: &str| by_folder(&sources(c)).values().find_map(cycle).map(|path| path.join(" -> "));
    assert_eq!(found("//! See `crate::a`.\n#[cfg(test)]\nmod tests { use crate::a; }"), None);
    assert_eq!(found("fn f() { crate::a::f() }").as_deref(), Some("a -> b -> c -> a"));
    assert_eq!(found("use crate::d::x;").as_deref(), Some("c -> d -> c"), "a folder imports what its files import");
    let siblings = [("d::x", "use super::{y, Z};"), ("d::y", "use crate::d::x::{self, X};")];
    let siblings = siblings.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert_eq!(by_folder(&siblings).values().find_map(cycle), Some(vec!["x".into(), "y".into(), "x".into()]));
    let through_root = [("a", "use crate::Thing;"), (ROOT, "mod a;")];
    let through_root = through_root.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert!(by_folder(&through_root).values().any(|imports| cycle(imports).is_some()));
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// `container/plan.rs` is `container::plan`.
fn module(file: &Path) -> String {
    let name = file.with_extension("").to_string_lossy().replace('/', "::");
    name.trim_end_matches("::mod").to_owned()
}

/// The imports among the modules of the crate, and among those of each folder.
fn by_folder(sources: &BTreeMap<String, String>) -> BTreeMap<String, Imports> {
    let mut folders: BTreeMap<String, Imports> = BTreeMap::new();
    for (name, text) in sources {
        let (top, below) = name.split_once("::").unwrap_or((name, ""));
        for path in paths(name, text) {
            let (other, item) = path.split_once("::").unwrap_or((&path, ""));
            let other = if sources.keys().any(|name| name.split("::").next() == Some(other)) { other } else { ROOT };
            if other != top {
                folders.entry("the crate".into()).or_default().entry(top.into()).or_default().insert(other.into());
            } else if !below.is_empty() && sources.contains_key(&format!("{top}::{item}")) {
                folders.entry(top.into()).or_default().entry(below.into()).or_default().insert(item.into());
            }
        }
    }
    let tops = sources.keys().map(|name| name.split("::").next().unwrap_or_default().to_owned());
    let tops = tops.filter(|name| name != ROOT).collect();
    folders.entry("the crate".into()).or_default().insert(ROOT.into(), tops);
    folders
}

/// What a module's code names by a path from the crate's root: `top::second`, of which the second may be an item.
fn paths(module: &str, text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let code = lines.collect::<Vec<_>>().join(" ");
    let parent = module.rsplit_once("::").map(|(parent, _)| format!("{parent}::")).unwrap_or_default();
    let from_root = code.split("crate::").skip(1).flat_map(|rest| names(rest, 2));
    let from_parent = code.split("super::").skip(1).flat_map(|rest| names(rest, 1));
    from_root.chain(from_parent.map(|name| format!("{parent}{name}"))).collect()
}

/// The first names of what follows `crate::`, at most so many deep: of `{a, b::c}` that is `a` and `b::c`.
fn names(rest: &str, depth: usize) -> Vec<String> {
    if let Some(group) = rest.strip_prefix('{') {
        return parts(group).into_iter().flat_map(|part| names(part.trim(), depth)).collect();
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let name = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
    match rest[name.len()..].strip_prefix("::") {
        _ if name.is_empty() => Vec::new(),
        Some(below) if depth > 1 => names(below, depth - 1).iter().map(|below| format!("{name}::{below}")).collect(),
        _ => vec![name.to_owned()],
    }
}

/// The parts of a group between commas, up to the brace that closes it.
fn parts(group: &str) -> Vec<&str> {
    let (mut parts, mut open, mut from) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open > 0 => open -= 1,
            ',' | '}' if open == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        if c == '}' && open == 0 && from == at + 1 {
            break;
        }
    }
    parts
}

/// The path of a cycle, from a module back to it.
fn cycle(imports: &Imports) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    imports.keys().find_map(|start| walk(imports, &mut vec![start.clone()], &mut done))
}

fn walk(imports: &Imports, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
    let here = path.last()?.clone();
    if done.contains(&here) {
        return None;
    }
    for next in imports.get(&here).into_iter().flatten() {
        path.push(next.clone());
        let seen = path[..path.len() - 1].iter().position(|name| name == next);
        let found = seen.map(|from| path[from..].to_vec()).or_else(|| walk(imports, path, done));
        if found.is_some() {
            return found;
        }
        path.pop();
    }
    done.insert(here);
    None
}
