//! Removes the data of Secret objects from tools' output: manifests in YAML, API responses in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{HIDDEN, known};

/// The fields of a Secret that contain its data.
const FIELDS: [&str; 2] = ["data", "stringData"];

/// Returns a tool's output without secrets. The data of Secrets in it is known from then on, and also hidden in the rest
/// of the output.
pub fn hidden(output: &str) -> String {
    if output.trim_start().starts_with(['{', '['])
        && let Ok(mut value) = serde_json::from_str::<Value>(output)
    {
        hide(&mut value);
        return format!("{value:#}\n");
    }
    crate::text(&variables(&manifests(output)))
}

/// Returns YAML without the values of secret environment variables: `name: DB_PASSWORD` followed by `value: …`.
fn variables(text: &str) -> String {
    let mut is_named = false;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let named = line.split_once("name: ").map(|(_, rest)| rest.split([',', '}', '\n']).next().unwrap_or_default());
        is_named = named.map_or(is_named && line.trim_start().starts_with("value:"), |name| {
            crate::is_secret_name(name.trim().trim_matches(['"', '\'']))
        });
        match line.split_once("value: ").filter(|_| is_named) {
            Some((before, rest)) => {
                let end = rest.rfind('}').filter(|_| before.contains('{')).unwrap_or(rest.trim_end().len());
                kept.extend([before, "value: ", HIDDEN, &rest[end..]]);
            }
            None => kept += line,
        }
    }
    kept
}

/// Hides the data of Secrets anywhere in an object, and all values whose names are those of secrets.
pub fn hide(value: &mut Value) {
    take(value);
    clean(value);
}

/// Learns and hides the data of Secrets.
fn take(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_secret = fields.get("kind").is_some_and(|kind| kind == "Secret");
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::Object(data) if is_secret && FIELDS.contains(&name.as_str()) => {
                        for value in data.values_mut() {
                            learn(name, value.as_str().unwrap_or_default());
                            *value = Value::from(HIDDEN);
                        }
                    }
                    other => take(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(take),
        Value::String(text) if text.contains("kind: Secret") => *text = manifests(text),
        _ => {}
    }
}

/// Hides known values, and fields, flags and environment variables with the name of a secret.
fn clean(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_named = fields.get("name").and_then(Value::as_str).is_some_and(crate::is_secret_name);
            for (name, value) in fields.iter_mut() {
                let is_secret = crate::is_secret_name(name) || (is_named && name == "value");
                match value {
                    Value::String(text) if is_secret && !text.is_empty() => HIDDEN.clone_into(text),
                    other => clean(other),
                }
            }
        }
        Value::Array(values) => match values.iter().map(|value| value.as_str().map(str::to_owned)).collect() {
            Some(words) => {
                let words: Vec<String> = words;
                *values = crate::words(&words).into_iter().map(Value::from).collect();
            }
            None => values.iter_mut().for_each(clean),
        },
        Value::String(text) => *text = crate::text(text),
        _ => {}
    }
}

/// Learns a value from a field of a Secret.
fn learn(field: &str, value: &str) {
    if let Some(text) = plain(field, value) {
        known::learn(&text);
    }
}

/// Returns a value from a field of a Secret as a container gets it: `data` is in base64.
fn plain(field: &str, value: &str) -> Option<String> {
    if field == "stringData" {
        return Some(value.to_owned());
    }
    STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Returns the values of the Secrets in an object.
pub fn held(value: &Value) -> Vec<String> {
    let fields = match value {
        Value::Array(values) => return values.iter().flat_map(held).collect(),
        Value::Object(fields) => fields,
        _ => return Vec::new(),
    };
    if fields.get("kind").is_none_or(|kind| kind != "Secret") {
        return fields.values().flat_map(held).collect();
    }
    let data = FIELDS.iter().filter_map(|field| Some((field, fields.get(*field)?.as_object()?)));
    data.flat_map(|(field, data)| data.values().filter_map(|value| plain(field, value.as_str()?))).collect()
}

/// Returns YAML documents with the data of Secrets hidden.
fn manifests(text: &str) -> String {
    if !text.contains("kind: Secret") {
        return text.to_owned();
    }
    let mut documents: Vec<Vec<&str>> = vec![vec![]];
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            documents.push(vec![]);
        }
        if let Some(document) = documents.last_mut() {
            document.push(line);
        }
    }
    documents.iter().map(|lines| document(lines)).collect()
}

fn document(lines: &[&str]) -> String {
    if !lines.iter().any(|line| line.trim().trim_start_matches("- ") == "kind: Secret") {
        return lines.concat();
    }
    let mut kept = String::new();
    let mut data: Option<Data> = None;
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        if data.as_ref().is_some_and(|data| indent <= data.indent && !line.trim().is_empty()) {
            data = None;
        }
        if let Some(data) = &mut data {
            data.hide(line, indent, &mut kept);
            continue;
        }
        let field = FIELDS.into_iter().find(|field| line.trim().strip_suffix(':') == Some(field));
        data = field.map(|field| Data { field, indent, inner: None });
        kept += line;
    }
    kept
}

/// The lines of `data` or `stringData`.
struct Data {
    field: &'static str,
    /// The indentation of the field.
    indent: usize,
    /// The indentation of its keys, once one has been seen.
    inner: Option<usize>,
}

impl Data {
    fn hide(&mut self, line: &str, indent: usize, kept: &mut String) {
        // A deeper indentation continues a multi-line value.
        if indent > *self.inner.get_or_insert(indent) {
            return learn("stringData", line);
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        learn(self.field, value.trim().trim_matches(['"', '\'']));
        kept.extend([name, ": ", HIDDEN, "\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "---\nkind: ConfigMap\ndata:\n  mode: fast\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  \
                            name: db\nstringData:\n  url: postgres\n  cert: |\n    line one\n    line two\ntype: Opaque\n";

    #[test]
    fn secrets_in_manifests_lose_their_values_and_nothing_else_does() {
        let hidden = hidden(MANIFEST);
        for gone in ["postgres", "line one", "line two"] {
            assert!(!hidden.contains(gone), "{hidden}");
        }
        for kept in ["mode: fast", "name: db", "  url: REDACTED\n  cert: REDACTED\ntype: Opaque"] {
            assert!(hidden.contains(kept), "{hidden}");
        }
    }

    #[test]
    fn json_responses_lose_them_too_also_in_strings() {
        let answer = serde_json::json!({
            "manifest": MANIFEST,
            "config": { "auth": { "password": "hunter2" } },
            "items": [{ "kind": "Secret", "data": { "a": "cG9zdGdyZXM=" } }],
        });
        let hidden = hidden(&answer.to_string());
        for gone in ["postgres", "hunter2", "cG9zdGdyZXM="] {
            assert!(!hidden.contains(gone), "{hidden}");
        }
        assert!(hidden.contains("mode: fast"), "{hidden}");
    }

    #[test]
    fn the_values_of_a_secret_are_hidden_elsewhere_too_and_so_are_secret_variables_and_flags() {
        let manifests =
            "kind: Secret\nstringData:\n  dsn: \"swordfish-9\"\n---\nkind: Pod\nspec:\n  note: dsn is swordfish-9\n";
        let text = hidden(manifests);
        assert!(text.contains("note: dsn is REDACTED") && !text.contains("swordfish"), "{text}");
        let pod = serde_json::json!({ "kind": "Pod", "spec": { "containers": [{
            "args": ["--token", "abc-1", "--n=1", "--api-key=abc-2"],
            "command": ["sh", "-c", "run swordfish-9"],
            "env": [{ "name": "DB_PASSWORD", "value": "abc-3" }, { "name": "MODE", "value": "fast" }] }] } });
        let text = hidden(&pod.to_string());
        assert!(!text.contains("abc-") && !text.contains("swordfish"), "{text}");
        assert!(text.contains("--n=1") && text.contains("fast"), "{text}");
    }

    #[test]
    fn variables_in_manifests_are_hidden_by_their_names() {
        let text = "env:\n- name: DB_PASSWORD\n  value: \"walrus\"\n- name: MODE\n  value: fast\n- {name: API_TOKEN, value: abc}\n";
        let kept = "env:\n- name: DB_PASSWORD\n  value: REDACTED\n- name: MODE\n  value: fast\n- {name: API_TOKEN, value: REDACTED}\n";
        assert_eq!(hidden(text), kept);
    }

    #[test]
    fn other_text_stays_as_it_is() {
        assert_eq!(hidden("{ not json\n"), "{ not json\n");
    }
}
