//! Finds values of a chart that look like an image, as candidates for a suite's `[image]`.

use serde_json::{Map, Value};

/// The paths of values that together name an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageValues {
    /// The repository, or the whole reference if there is no tag: `container.image.repository`.
    pub repository: String,
    /// The tag: `container.image.tag`.
    pub tag: Option<String>,
    /// The registry, if it is a separate value.
    pub registry: Option<String>,
    /// The chart's default.
    pub default: String,
}

/// Returns every image in a chart's values, in their order.
pub fn in_values(values: &Value) -> Vec<ImageValues> {
    let mut found = Vec::new();
    walk("", values, &mut found);
    found
}

fn walk(path: &str, value: &Value, found: &mut Vec<ImageValues>) {
    let Value::Object(fields) = value else { return };
    found.extend(parts(path, fields));
    for (name, field) in fields {
        let here = join(path, name);
        match field.as_str() {
            Some(text) if !text.is_empty() && name.to_ascii_lowercase().ends_with("image") => {
                found.push(ImageValues { repository: here, tag: None, registry: None, default: text.to_owned() });
            }
            _ => walk(&here, field, found),
        }
    }
}

/// Returns the image if these fields are its parts.
fn parts(path: &str, fields: &Map<String, Value>) -> Option<ImageValues> {
    let there = |name: &str| fields.contains_key(name).then(|| join(path, name));
    // Many tables have a name, but those of an image have a tag, too.
    let name = fields.contains_key("repository").then_some("repository").or(there("tag").map(|_| "name"))?;
    let default = fields.get(name)?.as_str()?;
    Some(ImageValues {
        repository: join(path, name),
        tag: there("tag"),
        registry: there("registry"),
        default: default.to_owned(),
    })
}

fn join(path: &str, name: &str) -> String {
    // `--set` requires dots in a name to be escaped.
    let name = name.replace('.', "\\.");
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_are_found_everywhere_in_the_values() {
        let values = json!({
            "container": { "image": { "repository": "a/b", "tag": "", "pullPolicy": "Always" } },
            "sidecar": { "image": { "registry": "quay.io", "repository": "c/d" } },
            "initImage": "busybox:1",
            "imagePullSecrets": [],
            "image": { "tag": "1" },
            "a.b": { "image": "e/f" },
            "worker": { "name": "g", "tag": "2" },
            "service": { "name": "web" },
        });
        let found = in_values(&values);
        let lines = found
            .iter()
            .map(|one| (one.repository.as_str(), one.tag.as_deref(), one.registry.as_deref(), one.default.as_str()));
        let mut lines: Vec<_> = lines.collect();
        lines.sort_unstable();
        let wanted = [
            ("a\\.b.image", None, None, "e/f"),
            ("container.image.repository", Some("container.image.tag"), None, "a/b"),
            ("initImage", None, None, "busybox:1"),
            ("sidecar.image.repository", None, Some("sidecar.image.registry"), "c/d"),
            ("worker.name", Some("worker.tag"), None, "g"),
        ];
        assert_eq!(lines, wanted);
    }
}
