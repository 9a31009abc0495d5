//! Values of a suite that its chart does not read. helm takes any, so one that is misspelt has no effect.

use serde_json::Value;

use super::Run;
use suite::Variant;
use tools::helm;

impl Run {
    /// Returns the entries of `set` of a variant, for the release under test, that are missing in the chart's values and
    /// without which it renders the same.
    ///
    /// # Errors
    /// If helm can't read or render the chart.
    pub async fn unread(&self, variant: &Variant) -> anyhow::Result<Vec<String>> {
        let release = variant.suite.under_test();
        let set: Vec<_> = release.set.iter().chain(&variant.topology.set).collect();
        if set.is_empty() {
            return Ok(Vec::new());
        }
        let chart = self.charts.folder(&release.source);
        let defaults = helm::defaults(&self.launcher, &self.helm, &chart).await?;
        let rendered = self.render(variant).await?;
        let mut unread = Vec::new();
        for (index, value) in set.into_iter().enumerate().filter(|(_, value)| !has(&defaults, path(value))) {
            // The values of flags come after those of the suite.
            let mut values = self.values(variant, release)?;
            values.set.remove(index);
            // Without a value that the chart requires, it does not render.
            let without = self.helm_template(variant, release, &chart, &values.args()).run().await;
            let Ok(without) = without.map_err(anyhow::Error::from).and_then(|text| helm::objects(&text)) else {
                continue;
            };
            if rendered.last() == Some(&without) {
                unread.push(value.clone());
            }
        }
        Ok(unread)
    }
}

/// Returns the path of the first value in an entry for `--set`.
pub fn path(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(path, _)| path)
}

/// Returns whether values have a path, in the syntax of `--set`. Any index of a list counts.
fn has(values: &Value, path: &str) -> bool {
    let path = path.replace("\\.", "\0");
    let mut here = values;
    for step in path.split('.') {
        let (name, index) = step.split_once('[').map_or((step, None), |(name, index)| (name, Some(index)));
        match here.get(name.replace('\0', ".")) {
            None => return false,
            Some(_) if index.is_some() => return true,
            Some(value) => here = value,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_known_by_its_path() {
        let values = json!({ "image": { "tag": "" }, "env": [], "a.b": { "c": 1 }, "labels": {} });
        for known in ["image.tag=1", "env[0].name=A", "a\\.b.c=2", "labels={}"] {
            assert!(has(&values, path(known)), "{known}");
        }
        for unknown in ["image.tga=1", "replicCount=3", "labels.team=a", "a.b.c=2"] {
            assert!(!has(&values, path(unknown)), "{unknown}");
        }
    }
}
