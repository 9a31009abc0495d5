//! Reads YAML as helm does: a number with a leading zero is octal, of two equal keys the last one counts, and large files,
//! such as a collection of custom resource definitions, are fine.

use anyhow::Context as _;
use serde_json::Value;
use serde_saphyr::Options;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Returns the only document of a text; an empty text is null.
///
/// # Errors
/// If the text is not YAML.
pub fn document(text: &str) -> anyhow::Result<Value> {
    serde_saphyr::from_str_with_options(text, options()).context("not YAML")
}

/// Returns all documents of a text, except empty ones.
///
/// # Errors
/// If the text is not YAML.
pub fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options()).context("not YAML")?;
    documents.retain(|document| !document.is_null());
    Ok(documents)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 50_000_000,
            max_nodes: 10_000_000,
            max_documents: 20_000,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_read_as_helm_reads_it() {
        assert_eq!(
            document("mode: 0644\nname: a\nname: b\nzip: '0123'\n").unwrap(),
            json!({ "mode": 420, "name": "b", "zip": "0123" })
        );
        let comments = "# a comment\n".repeat(5000);
        assert_eq!(document(&format!("a: 1\n{comments}b: 2\n")).unwrap(), json!({ "a": 1, "b": 2 }));
        let many = format!("items: [{}]\n", vec!["{a: 1}"; 200_000].join(","));
        assert_eq!(document(&many).unwrap()["items"].as_array().unwrap().len(), 200_000);
        assert_eq!(documents("a: 1\n---\n\n---\nb: 2\n").unwrap().len(), 2);
    }
}
