//! How a message names the differences between what was found and what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Returns the entries in which two maps differ: `api: 2 instead of 3, web: none instead of 1`.
pub fn differences<V: Display + PartialEq>(found: &BTreeMap<String, V>, expected: &BTreeMap<String, V>) -> String {
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let shown = |value: Option<&V>| value.map_or_else(|| "none".to_owned(), ToString::to_string);
    let difference = |key: &String| {
        let (found, expected) = (found.get(key), expected.get(key));
        (found != expected).then(|| format!("{key}: {} instead of {}", shown(found), shown(expected)))
    };
    keys.into_iter().filter_map(difference).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_named() {
        let map = |entries: &[(&str, u32)]| entries.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let (found, expected) = (map(&[("api", 2), ("db", 1), ("old", 1)]), map(&[("api", 3), ("db", 1), ("web", 1)]));
        assert_eq!(
            differences(&found, &expected),
            "api: 2 instead of 3, old: 1 instead of none, web: none instead of 1"
        );
    }
}
