//! What Secret objects hold, taken out of tools' outputs: manifests in YAML, answers in JSON.

use serde_json::Value;

use super::redact::{self, HIDDEN};

/// The fields of a Secret that hold what is secret.
const FIELDS: [&str; 2] = ["data", "stringData"];

/// A tool's output without secrets.
pub fn hidden(output: &str) -> String {
    if output.trim_start().starts_with(['{', '['])
        && let Ok(mut value) = serde_json::from_str::<Value>(output)
    {
        hide(&mut value);
        return format!("{value:#}\n");
    }
    redact::text(&manifests(output))
}

/// Hides in an object what Secrets hold, and whatever has a telling name.
pub fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_secret = fields.get("kind").is_some_and(|kind| kind == "Secret");
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::Object(data) if is_secret && FIELDS.contains(&name.as_str()) => {
                        data.values_mut().for_each(|value| *value = Value::from(HIDDEN));
                    }
                    Value::String(text) if redact::is_secret_name(name) && !text.is_empty() => HIDDEN.clone_into(text),
                    other => hide(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::String(text) if text.contains("kind: Secret") => *text = redact::text(&manifests(text)),
        _ => {}
    }
}

/// YAML documents without the data of those that are Secrets.
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
    let mut data: Option<(usize, Option<usize>)> = None;
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        if data.is_some_and(|(outer, _)| indent <= outer && !line.trim().is_empty()) {
            data = None;
        }
        match &mut data {
            None => {
                data = FIELDS.contains(&line.trim().trim_end_matches(':')).then_some((indent, None));
                kept += line;
            }
            Some((_, inner)) => {
                // What is further in is the rest of a value of several lines.
                if indent <= *inner.get_or_insert(indent) {
                    let name = line.split_once(':').map_or("", |(name, _)| name);
                    kept.extend([name, ": ", HIDDEN, "\n"]);
                }
            }
        }
    }
    kept
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
    fn answers_in_json_lose_them_too_also_within_strings() {
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
    fn what_is_neither_stays_as_it_is() {
        assert_eq!(hidden("{ not json\n"), "{ not json\n");
    }
}
