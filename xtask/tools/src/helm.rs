//! helm's command lines: always with kubeconfig, context and namespace. helm's own waiting is not used.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::{Tool, yaml};
use process::{Cmd, Launcher};

/// How long helm may take for commands that wait for nothing.
const TIMEOUT: Duration = Duration::from_secs(60);

/// helm for one release on one cluster.
#[derive(Debug, Clone)]
pub struct Helm {
    /// Starts the commands.
    pub launcher: Launcher,
    /// The helm executable.
    pub tool: Tool,
    /// The cluster's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in the kubeconfig.
    pub context: String,
    /// The release's namespace.
    pub namespace: String,
    /// The release.
    pub release: String,
}

/// The values of a release, in the order in which helm applies them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Values files.
    pub files: Vec<PathBuf>,
    /// Values for `--set`.
    pub set: Vec<String>,
    /// Values for `--set-string`: a tag that looks like a number stays a string.
    pub set_string: Vec<String>,
}

impl Values {
    /// Returns these values with more `--set` values.
    #[must_use]
    pub fn and(&self, set: &[String]) -> Self {
        let mut more = self.clone();
        more.set.extend_from_slice(set);
        more
    }

    /// Returns the flags.
    pub fn args(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| ("--values", file.display().to_string()));
        let strings = self.set_string.iter().map(|value| ("--set-string", value.clone()));
        let set = self.set.iter().map(|value| ("--set", value.clone()));
        files.chain(strings).chain(set).flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }
}

/// Returns the objects in rendered manifests, including the items of a `List`, which helm creates one by one.
///
/// # Errors
/// If the text is not YAML.
pub fn objects(rendered: &str) -> anyhow::Result<Vec<Value>> {
    Ok(yaml::documents(rendered)?.into_iter().flat_map(flat).collect())
}

/// Returns an object, or the items of a list. The items of, say, a `ConfigMapList` need not have a kind.
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

/// Returns helm's words if an error says that a chart's `kubeVersion` excludes the version of Kubernetes.
pub fn excluded(error: &anyhow::Error) -> Option<String> {
    let text = format!("{error:#}");
    let start = text.find("chart requires kubeVersion")?;
    text[start..].lines().next().map(str::to_owned)
}

/// Returns the tests that `helm test` ran, from its standard output: a block for each, or `TEST SUITE: None`.
pub fn tests_run(output: &str) -> Vec<&str> {
    // These sections contain output of the tests and text from the chart.
    let rest = ["\nPOD LOGS:", "\nNOTES:"].iter().filter_map(|heading| output.find(heading)).min();
    let blocks = rest.map_or(output, |rest| &output[..rest]);
    let suites = blocks.lines().filter_map(|line| line.strip_prefix("TEST SUITE:"));
    suites.map(str::trim).filter(|suite| *suite != "None").collect()
}

/// Returns a chart's default values, with those of its dependencies under the names or aliases that it gives them.
///
/// # Errors
/// If helm can't read the chart.
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

/// Returns the output of `helm show WHAT` for a chart.
async fn show(launcher: &Launcher, tool: &Tool, what: &str, chart: &Path) -> anyhow::Result<Value> {
    let text = launcher.cmd(&tool.path).args(["show", what]).arg(chart).timeout(TIMEOUT).run().await?;
    let value: Value = yaml::document(&text).with_context(|| format!("the {what} of {}", chart.display()))?;
    Ok(if value.is_null() { Value::Object(serde_json::Map::new()) } else { value })
}

/// Returns the names of a dependency in a chart: its aliases, if it has any.
fn names_of<'a>(chart: &'a Value, dependency: &'a str) -> Vec<&'a str> {
    let listed = chart["dependencies"].as_array().into_iter().flatten().filter(|one| one["name"] == dependency);
    let names: Vec<_> = listed.map(|one| one["alias"].as_str().unwrap_or(dependency)).collect();
    if names.is_empty() { vec![dependency] } else { names }
}

/// Adds defaults to values that are not set.
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

/// Returns the custom resource definitions in the `crds/` of a chart and its dependencies, which helm creates but does not
/// render.
///
/// # Errors
/// If helm can't read the chart, or they are not YAML.
pub async fn definitions(launcher: &Launcher, tool: &Tool, chart: &Path) -> anyhow::Result<Vec<Value>> {
    let text = launcher.cmd(&tool.path).args(["show", "crds"]).arg(chart).timeout(TIMEOUT).run().await?;
    objects(&text).with_context(|| format!("the crds of {}", chart.display()))
}

/// Returns `helm lint` for a chart with its default values, or with a values file on top.
pub fn lint(launcher: &Launcher, tool: &Tool, chart: &Path, values: Option<&Path>) -> Cmd {
    let values = values.into_iter().flat_map(|file| [OsStr::new("--values"), file.as_os_str()]);
    // helm warns about a chart without templates, such as one that only has definitions in its `crds/`.
    let strict = chart.join("templates").is_dir().then_some("--strict");
    launcher.cmd(&tool.path).arg("lint").args(strict).arg(chart).args(values)
}

impl Helm {
    /// Returns `helm VERB RELEASE …`.
    pub fn cmd(&self, verb: &str) -> Cmd {
        self.anywhere(verb).arg(&self.release).timeout(TIMEOUT)
    }

    /// Returns `helm VERB …`, without the release.
    fn anywhere(&self, verb: &str) -> Cmd {
        let cmd = self.launcher.cmd(&self.tool.path).arg(verb);
        let cmd = cmd.arg("--kubeconfig").arg(&self.kubeconfig).arg("--kube-context").arg(&self.context);
        cmd.arg("--namespace").arg(&self.namespace)
    }

    /// Returns `helm install` for a chart.
    pub fn install(&self, chart: &Path, values: &Values) -> Cmd {
        self.cmd("install").arg(chart).args(values.args())
    }

    /// Returns `helm upgrade` to a chart and values.
    pub fn upgrade(&self, chart: &Path, values: &Values) -> Cmd {
        self.cmd("upgrade").arg(chart).args(values.args())
    }

    /// Returns the release's current revision.
    ///
    /// # Errors
    /// If helm fails or prints no revision.
    pub async fn revision(&self) -> anyhow::Result<u64> {
        let status = self.cmd("status").args(["--output", "json"]).run().await?;
        let status: Value = serde_json::from_str(&status)?;
        let version = status.get("version").and_then(Value::as_u64);
        version.ok_or_else(|| anyhow::anyhow!("helm status of {} contains no version", self.release))
    }

    /// Returns the objects in the release's last revision, rendered against the cluster; an offline `helm template` may
    /// differ.
    ///
    /// # Errors
    /// If helm fails, or prints something that is not YAML.
    pub async fn made(&self) -> anyhow::Result<Vec<Value>> {
        let manifest = self.anywhere("get").arg("manifest").arg(&self.release).timeout(TIMEOUT).run().await?;
        objects(&manifest).with_context(|| format!("the manifest of release {}", self.release))
    }

    /// Returns the flag that makes helm roll back a failed upgrade.
    pub fn rollback_on_failure(&self) -> &'static str {
        if self.tool.version.major >= 4 { "--rollback-on-failure" } else { "--atomic" }
    }
}

/// Returns the chart's `ci/*.yaml`, in order.
///
/// # Errors
/// If the folder can't be read.
pub fn ci_values(chart: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = chart.join("ci");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the output of a recorded `helm test`.
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
        assert!(
            tests_run(&format!("{head}TEST SUITE: None\nNOTES:\n{}", block("a"))).is_empty(),
            "these are the chart's notes"
        );
        assert_eq!(
            tests_run(&format!("{head}{}\nPOD LOGS: a\n{}", block("a"), block("b"))),
            ["a"],
            "this is a pod's log"
        );
    }

    #[test]
    fn a_dependency_has_its_values_under_each_of_its_names() {
        let chart = json!({ "dependencies": [
            { "name": "web", "alias": "api" }, { "name": "web", "alias": "site" }, { "name": "db" },
        ] });
        assert_eq!(names_of(&chart, "web"), ["api", "site"]);
        assert_eq!(names_of(&chart, "db"), ["db"]);
        assert_eq!(names_of(&chart, "vendored"), ["vendored"], "not listed, but loaded");
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
