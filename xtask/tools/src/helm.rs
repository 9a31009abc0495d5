//! helm's command lines: always with kubeconfig, context and namespace; its own waiting is not relied on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::Tool;
use process::{Cmd, Launcher};

/// How long helm may take for what needs no waiting.
const TIMEOUT: Duration = Duration::from_secs(60);

/// helm for one release of one cluster.
#[derive(Debug, Clone)]
pub struct Helm {
    /// Starts it.
    pub launcher: Launcher,
    /// Which helm.
    pub tool: Tool,
    /// The cluster's own kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// The release's namespace.
    pub namespace: String,
    /// The release.
    pub release: String,
}

/// The values that a chart is deployed with, in the order in which helm takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Values files.
    pub files: Vec<PathBuf>,
    /// As `--set` takes them.
    pub set: Vec<String>,
    /// As `--set-string` takes them: a tag that looks like a number is none.
    pub set_string: Vec<String>,
}

impl Values {
    /// These and more.
    #[must_use]
    pub fn and(&self, set: &[String]) -> Self {
        let mut more = self.clone();
        more.set.extend_from_slice(set);
        more
    }

    /// The flags.
    pub fn args(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| ("--values", file.display().to_string()));
        let strings = self.set_string.iter().map(|value| ("--set-string", value.clone()));
        let set = self.set.iter().map(|value| ("--set", value.clone()));
        files.chain(strings).chain(set).flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }
}

/// The objects in what helm renders, also those inside a `List`, which helm makes one by one.
///
/// # Errors
/// Where that is no YAML.
pub fn objects(rendered: &str) -> anyhow::Result<Vec<Value>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(rendered).context("it is no YAML")?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).flat_map(flat).collect())
}

/// An object, or those of a list; of a `ConfigMapList` the items need not name their kind.
fn flat(object: Value) -> Vec<Value> {
    let kind = object["kind"].as_str().unwrap_or_default().trim_end_matches("List").to_owned();
    let (api_version, mut object) = (object["apiVersion"].clone(), object);
    match object.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => {
            let named = items.into_iter().map(|mut item| {
                if item.is_object() && item.get("kind").is_none() && !kind.is_empty() {
                    item["kind"] = kind.clone().into();
                    item["apiVersion"] = api_version.clone();
                }
                item
            });
            named.flat_map(flat).collect()
        }
        Some(other) => {
            object["items"] = other;
            vec![object]
        }
        None => vec![object],
    }
}

/// The tests that `helm test` ran, as its standard output names them: a block for each, or `TEST SUITE: None`.
pub fn tests_run(output: &str) -> Vec<&str> {
    // What follows is the tests' own words, and the chart's.
    let rest = ["\nPOD LOGS:", "\nNOTES:"].iter().filter_map(|heading| output.find(heading)).min();
    let blocks = rest.map_or(output, |rest| &output[..rest]);
    let suites = blocks.lines().filter_map(|line| line.strip_prefix("TEST SUITE:"));
    suites.map(str::trim).filter(|suite| *suite != "None").collect()
}

/// A chart's own values, with those of its dependencies under the names that it gives them.
///
/// # Errors
/// Where helm can't read the chart.
pub async fn defaults(launcher: &Launcher, tool: &Tool, chart: &Path) -> anyhow::Result<Value> {
    let mut values = show(launcher, tool, "values", chart).await?;
    let Ok(dependencies) = std::fs::read_dir(chart.join("charts")) else { return Ok(values) };
    let described = show(launcher, tool, "chart", chart).await?;
    for dependency in dependencies.filter_map(|entry| Some(entry.ok()?.path())) {
        if !dependency.is_dir() && dependency.extension().is_none_or(|extension| extension != "tgz") {
            continue;
        }
        let own = show(launcher, tool, "chart", &dependency).await?;
        let defaults = Box::pin(defaults(launcher, tool, &dependency)).await?;
        for name in names_of(&described, own["name"].as_str().unwrap_or_default()) {
            beneath(&mut values[name], &defaults);
        }
    }
    Ok(values)
}

/// `helm show WHAT` of a chart.
async fn show(launcher: &Launcher, tool: &Tool, what: &str, chart: &Path) -> anyhow::Result<Value> {
    let text = launcher.cmd(&tool.path).args(["show", what]).arg(chart).timeout(TIMEOUT).run().await?;
    let value: Value = serde_saphyr::from_str(&text).with_context(|| format!("the {what} of {}", chart.display()))?;
    Ok(if value.is_null() { Value::Object(serde_json::Map::new()) } else { value })
}

/// What a chart calls a dependency: its aliases, if it has any.
fn names_of<'a>(chart: &'a Value, dependency: &'a str) -> Vec<&'a str> {
    let listed = chart["dependencies"].as_array().into_iter().flatten().filter(|one| one["name"] == dependency);
    let names: Vec<_> = listed.map(|one| one["alias"].as_str().unwrap_or(dependency)).collect();
    if names.is_empty() { vec![dependency] } else { names }
}

/// Adds defaults to values wherever these have nothing of their own.
fn beneath(values: &mut Value, defaults: &Value) {
    match (values, defaults) {
        (Value::Object(values), Value::Object(defaults)) => {
            for (name, default) in defaults {
                beneath(values.entry(name).or_insert(Value::Null), default);
            }
        }
        (values @ Value::Null, defaults) => *values = defaults.clone(),
        _ => {}
    }
}

/// `helm lint` of a chart with its own values, or with a values file on top.
pub fn lint(launcher: &Launcher, tool: &Tool, chart: &Path, values: Option<&Path>) -> Cmd {
    let values = values.into_iter().flat_map(|file| [OsStr::new("--values"), file.as_os_str()]);
    launcher.cmd(&tool.path).args(["lint", "--strict"]).arg(chart).args(values)
}

impl Helm {
    /// `helm VERB RELEASE …`
    pub fn cmd(&self, verb: &str) -> Cmd {
        self.anywhere(verb).arg(&self.release).timeout(TIMEOUT)
    }

    /// `helm VERB …`, without the release.
    fn anywhere(&self, verb: &str) -> Cmd {
        let cmd = self.launcher.cmd(&self.tool.path).arg(verb);
        let cmd = cmd.arg("--kubeconfig").arg(&self.kubeconfig).arg("--kube-context").arg(&self.context);
        cmd.arg("--namespace").arg(&self.namespace)
    }

    /// `helm install` of a chart.
    pub fn install(&self, chart: &Path, values: &Values) -> Cmd {
        self.cmd("install").arg(chart).args(values.args())
    }

    /// `helm upgrade` to a chart and values.
    pub fn upgrade(&self, chart: &Path, values: &Values) -> Cmd {
        self.cmd("upgrade").arg(chart).args(values.args())
    }

    /// The release's current revision.
    ///
    /// # Errors
    /// Where helm fails or says something else.
    pub async fn revision(&self) -> anyhow::Result<u64> {
        let status = self.cmd("status").args(["--output", "json"]).run().await?;
        let status: Value = serde_json::from_str(&status)?;
        let version = status.get("version").and_then(Value::as_u64);
        version.ok_or_else(|| anyhow::anyhow!("helm status of {} names no version", self.release))
    }

    /// The objects that the release's last revision made: rendered with what the cluster has, which an offline
    /// `helm template` can't know.
    ///
    /// # Errors
    /// Where helm fails, or prints what is no YAML.
    pub async fn made(&self) -> anyhow::Result<Vec<Value>> {
        let manifest = self.anywhere("get").arg("manifest").arg(&self.release).timeout(TIMEOUT).run().await?;
        objects(&manifest).with_context(|| format!("the manifest of release {}", self.release))
    }

    /// The flag that makes a failed upgrade roll back by itself.
    pub fn rollback_on_failure(&self) -> &'static str {
        if self.tool.version.major >= 4 { "--rollback-on-failure" } else { "--atomic" }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a recorded `helm test` printed.
    fn recorded(name: &str) -> String {
        let recordings = include_str!("../../../tests/fixtures/helm-test.jsonl");
        let recorded = recordings.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = recorded.into_iter().find(|one| one["name"] == name).unwrap();
        found["stdout"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_tests_that_ran_are_counted() {
        assert_eq!(tests_run(&recorded("helm3-test")), ["demo-test"]);
        assert_eq!(tests_run(&recorded("helm4-test")), ["demo-test"]);
        assert_eq!(tests_run(&recorded("helm4-test-fails")), ["demo-test"]);
        let head = "NAME: demo\nSTATUS: deployed\n";
        let block = |name: &str| format!("TEST SUITE:     {name}\nPhase:          Succeeded\n");
        assert_eq!(tests_run(&format!("{head}{}{}", block("a"), block("b"))), ["a", "b"]);
        assert!(tests_run(&format!("{head}TEST SUITE: None\n")).is_empty());
        assert!(tests_run(&format!("{head}TEST SUITE: None\nNOTES:\n{}", block("a"))).is_empty(), "the chart says so");
        assert_eq!(tests_run(&format!("{head}{}\nPOD LOGS: a\n{}", block("a"), block("b"))), ["a"], "a log says so");
    }

    #[test]
    fn a_dependency_has_its_values_under_each_of_its_names() {
        let chart = json!({ "dependencies": [
            { "name": "web", "alias": "api" }, { "name": "web", "alias": "site" }, { "name": "db" },
        ] });
        assert_eq!(names_of(&chart, "web"), ["api", "site"]);
        assert_eq!(names_of(&chart, "db"), ["db"]);
        assert_eq!(names_of(&chart, "vendored"), ["vendored"], "not listed, and loaded all the same");
    }

    #[test]
    fn a_chart_s_own_values_go_over_those_of_its_dependencies() {
        let mut values = json!({ "web": { "image": { "tag": "2" } } });
        beneath(&mut values["web"], &json!({ "image": { "repository": "a/b", "tag": "1" }, "port": 80 }));
        let wanted = json!({ "web": { "image": { "tag": "2", "repository": "a/b" }, "port": 80 } });
        assert_eq!(values, wanted);
    }

    #[test]
    fn objects_inside_lists_are_objects_of_the_release() {
        let text = "kind: List\napiVersion: v1\nitems:\n- {kind: Pod, metadata: {name: a}}\n- kind: List\n  items: [{kind: Job, metadata: {name: b}}]\n---\n\n---\nkind: ConfigMapList\napiVersion: v1\nitems: [{metadata: {name: c}}]\n---\nkind: Thing\nmetadata: {name: d}\nitems: 3\n";
        let found = objects(text).unwrap();
        let names: Vec<_> =
            found.iter().map(|object| format!("{} {}", object["kind"], object["metadata"]["name"])).collect();
        assert_eq!(names, [r#""Pod" "a""#, r#""Job" "b""#, r#""ConfigMap" "c""#, r#""Thing" "d""#]);
        assert_eq!((&found[2]["apiVersion"], &found[3]["items"]), (&"v1".into(), &3.into()));
    }
}
