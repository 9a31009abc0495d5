//! A directed graph of names, and its first cycle.

use std::collections::{BTreeMap, BTreeSet};

/// Which names each name uses.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// Returns a cycle as the names along it, the first one again at its end: `a`, `b`, `a`.
pub fn cycle(graph: &Graph) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    graph.keys().find_map(|name| cycle_from(graph, name, &mut Vec::new(), &mut done))
}

fn cycle_from<'a>(
    graph: &'a Graph,
    name: &'a String,
    path: &mut Vec<&'a String>,
    done: &mut BTreeSet<&'a String>,
) -> Option<Vec<String>> {
    if let Some(start) = path.iter().position(|&seen| seen == name) {
        return Some(path[start..].iter().copied().chain([name]).cloned().collect());
    }
    if done.contains(name) {
        return None;
    }
    path.push(name);
    let found = graph.get(name).into_iter().flatten().find_map(|next| cycle_from(graph, next, path, done));
    path.pop();
    done.insert(name);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn a_cycle_is_found_and_a_diamond_is_not_a_cycle() {
        assert_eq!(cycle(&graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])), None);
        let found = cycle(&graph(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")])).unwrap();
        assert_eq!(found, ["b", "c", "d", "b"]);
    }
}
