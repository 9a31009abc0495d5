//! A README's table of values matches values.yaml. `UPDATE_DOCS=1` rewrites it.

use serde_json::Value;

use crate::effects::every_value;
use crate::every_chart::CHARTS;

const START: &str = "<!-- values -->\n";
const END: &str = "<!-- end of values -->\n";

/// A documented value: its path and the text after `# --`.
#[derive(Debug, PartialEq)]
struct Documented {
    path: String,
    text: String,
}

/// Reads the comments of a values file: `# -- text` on the line before a key documents it.
fn documented(yaml: &str) -> Vec<Documented> {
    let mut found = Vec::new();
    let mut parents: Vec<(usize, &str)> = Vec::new();
    let mut text = None;
    for line in yaml.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(comment) = code.strip_prefix("# -- ") {
            text = Some(comment.to_owned());
        } else if let Some((key, _)) = code.split_once(':').filter(|(key, _)| !key.starts_with(['#', '-'])) {
            parents.retain(|(parent, _)| *parent < indent);
            parents.push((indent, key));
            if let Some(text) = text.take() {
                let path = parents.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
                found.push(Documented { path, text });
            }
        }
    }
    found
}

fn table(yaml: &str) -> String {
    let values: Value = serde_saphyr::from_str(yaml).unwrap();
    let rows = documented(yaml).into_iter().map(|Documented { path, text }| {
        let default = path.split('.').fold(&values, |value, key| &value[key]);
        format!("| `{path}` | `{default}` | {} |\n", text.replace('|', "\\|"))
    });
    format!("\n| value | default | meaning |\n|---|---|---|\n{}\n", rows.collect::<String>())
}

#[test]
fn tables_of_values_are_up_to_date() {
    for chart in CHARTS {
        let file = chart.path().join("README.md");
        let readme = std::fs::read_to_string(&file).unwrap();
        let (before, rest) = readme.split_once(START).expect("README.md has no marker for the start of its values");
        let (_, after) = rest.split_once(END).expect("README.md has no marker for the end of its values");
        let want = format!("{before}{START}{}{END}{after}", table(&chart.values()));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &want).unwrap();
        } else {
            assert_eq!(readme, want, "{} is stale; run UPDATE_DOCS=1 cargo test --test chart readme", file.display());
        }
    }
}

#[test]
fn every_value_is_documented() {
    for chart in CHARTS {
        let documented = documented(&chart.values());
        for path in every_value(chart, &[]) {
            let covers = |entry: &Documented| path == entry.path || path.starts_with(&format!("{}.", entry.path));
            assert!(documented.iter().any(covers), "{path}: write `# -- …` above it in {}'s values.yaml", chart.0);
        }
    }
}

#[test]
fn comments_document_the_key_below_them() {
    let yaml = "# no\na:\n  # -- one\n  b: 1\n  # just a remark\n  c: 2\n# -- two: of\nd:\n  - e: 1\nf: 3\n";
    let entry = |path: &str, text: &str| Documented { path: path.into(), text: text.into() };
    assert_eq!(documented(yaml), [entry("a.b", "one"), entry("d", "two: of")]);
}
