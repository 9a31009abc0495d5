//! Simple JSON paths, as definitions write them: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`,
//! `.metadata.annotations['a\.b']`.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    /// Negative indexes count from the end.
    Index(isize),
    All,
    /// The elements whose field has this value.
    Where(JsonPath, Value),
}

impl JsonPath {
    /// Parses a path; `None` if it has a form that is not supported.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner)?;
                (bracketed(&inner[..end])?, &inner[end + 1..])
            } else {
                let (name, after) = field(rest.strip_prefix('.')?);
                if name.is_empty() && after.starts_with('[') {
                    rest = after;
                    continue;
                }
                (if name == "*" { Step::All } else { Step::Field(name) }, after)
            };
            steps.push(step);
            rest = after;
        }
        Some(Self(steps))
    }

    /// Returns every value at the path.
    pub fn find<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![object], |found, step| found.into_iter().flat_map(|value| step.below(value)).collect())
    }

    /// Returns the names of the fields on the way, if the path has no other steps.
    pub fn fields(&self) -> Option<Vec<&str>> {
        self.0.iter().map(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None }).collect()
    }
}

impl Step {
    fn below<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let items = || value.as_array().map(Vec::as_slice).unwrap_or_default();
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) if *index < 0 => {
                items().len().checked_add_signed(*index).and_then(|index| items().get(index)).into_iter().collect()
            }
            Self::Index(index) => items().get(index.unsigned_abs()).into_iter().collect(),
            Self::All if value.is_object() => value.as_object().into_iter().flat_map(serde_json::Map::values).collect(),
            Self::All => items().iter().collect(),
            Self::Where(path, wanted) => items().iter().filter(|item| path.find(item).contains(&wanted)).collect(),
        }
    }
}

/// Returns the index of the bracket that closes what was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in text.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, ']') => return Some(index),
            _ => {}
        }
    }
    None
}

fn bracketed(inner: &str) -> Option<Step> {
    if let Some(filter) = inner.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')')) {
        let (left, right) = filter.split_once("==")?;
        let right = right.trim();
        let wanted = match unquoted(right) {
            Some(text) => text.into(),
            None => serde_json::from_str(right).ok()?,
        };
        return Some(Step::Where(JsonPath::parse(left.trim().strip_prefix('@')?)?, wanted));
    }
    match unquoted(inner) {
        Some(name) => Some(Step::Field(name.replace("\\.", "."))),
        None if inner == "*" => Some(Step::All),
        None => inner.parse().ok().map(Step::Index),
    }
}

fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// Splits a name, in which `\.` is a dot, from the rest of a path.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[index..]),
            _ => name.push(character),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_followed() {
        let object = json!({
            "metadata": {"annotations": {"a.b/c": "x"}},
            "spec": {"ports": [{"port": 1}, {"port": 2}], "replicas": 3},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        });
        let table = [
            (".spec.replicas", json!([3])),
            ("{.spec.replicas}", json!([3])),
            (".spec.ports[*].port", json!([1, 2])),
            (".spec.ports[-1].port", json!([2])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type=='Other')].status", json!(["False"])),
            (".metadata.annotations.a\\.b/c", json!(["x"])),
            (".metadata.annotations['a\\.b/c']", json!(["x"])),
            (".spec.nosuch.field", json!([])),
        ];
        for (path, wanted) in table {
            assert_eq!(json!(JsonPath::parse(path).unwrap().find(&object)), wanted, "{path}");
        }
        assert_eq!(JsonPath::parse("spec"), None);
        assert_eq!(JsonPath::parse(".spec.replicas").unwrap().fields(), Some(vec!["spec", "replicas"]));
    }
}
