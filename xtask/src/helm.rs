//! helm's command lines: always with kubeconfig, context and namespace; its own waiting is not relied on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::process::{Cmd, Launcher};
use crate::tools::Tool;

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
    use super::*;

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
