//! `cargo xtask init`: writes a first suite file for a chart, from its rendered objects.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use console::exit::{Exit, usage};
use process::Launcher;
use tools::helm;
use tools::helm::ci_values;
use tools::{self, Name};

/// The maximum length of a suite's name, in characters.
const LONGEST_NAME: usize = 30;

/// The flags of `cargo xtask init`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the chart
    chart: PathBuf,
    /// Values file for rendering, relative to the chart [default: the first of its ci/*.yaml]
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Write the suite file to stdout instead of CHART/e2e.toml
    #[arg(long)]
    stdout: bool,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// The parts of a chart that a suite file mentions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    name: String,
    values: Option<String>,
    workload: Option<(String, String)>,
    replicas: u64,
    container: String,
    port: Option<u64>,
    health: Option<String>,
    service: Option<String>,
    budget: Option<String>,
    jobs: bool,
    tests: bool,
}

/// Runs `cargo xtask init`.
///
/// # Errors
/// If there is no chart, the suite file already exists, or helm can't render the chart.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (chart, file) = (&args.chart, args.chart.join("e2e.toml"));
    if !chart.join("Chart.yaml").is_file() {
        return Err(usage(format!("{} is not a chart: it has no Chart.yaml", chart.display())));
    }
    if file.exists() && !args.stdout {
        return Err(usage(format!("{} already exists; print a new one with --stdout", file.display())));
    }
    let name = label(&chart.canonicalize()?.file_name().unwrap_or_default().to_string_lossy());
    let first = ci_values(chart)?.into_iter().next();
    let values = args.values.map(|file| chart.join(file)).or(first);
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let mut template = launcher.cmd(&helm.path).args(["template", &name]).arg(chart);
    if let Some(values) = &values {
        template = template.arg("--values").arg(values);
    }
    let mut found = find(&name, &helm::objects(&template.run().await?)?);
    let relative = values.as_deref().and_then(|file| file.strip_prefix(chart).ok());
    found.values = relative.map(|file| file.display().to_string());
    if args.stdout {
        console::out_text(&found.suite());
        return Ok(Exit::Passed.into());
    }
    std::fs::write(&file, found.suite()).with_context(|| format!("writing {}", file.display()))?;
    let (file, chart) = (file.display(), chart.display());
    console::out(format_args!("wrote {file}; review it, then run `cargo xtask e2e --suite {chart}`"));
    Ok(Exit::Passed.into())
}

/// Turns a folder's name into a valid suite name.
fn label(folder: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = folder.chars().map(letter).take(LONGEST_NAME).collect();
    Some(name.trim_matches('-')).filter(|name| !name.is_empty()).unwrap_or("chart").to_owned()
}

/// Searches a chart's rendered objects.
fn find(name: &str, objects: &[Value]) -> Found {
    let text = |object: &Value, field: &str| object.pointer(field).and_then(Value::as_str).map(str::to_owned);
    let of = |kind: &str| objects.iter().filter(|object| object["kind"] == *kind).collect::<Vec<_>>();
    let named = |kind: &str| of(kind).first().and_then(|object| text(object, "/metadata/name"));
    let is_test = |object: &Value| {
        object["metadata"]["annotations"]["helm.sh/hook"].as_str().is_some_and(|hook| hook.contains("test"))
    };
    let mut found = Found { name: name.to_owned(), replicas: 1, ..Found::default() };
    // The last one is most likely the application itself.
    let workload = ["StatefulSet", "Deployment"].into_iter().find_map(|kind| Some((kind, *of(kind).last()?)));
    if let Some((kind, object)) = workload {
        let container = object.pointer("/spec/template/spec/containers/0").cloned().unwrap_or_default();
        found.workload = text(object, "/metadata/name").map(|name| (kind.to_owned(), name));
        found.replicas = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1).max(1);
        found.container = text(&container, "/name").unwrap_or_default();
        found.port = container.pointer("/ports/0/containerPort").and_then(Value::as_u64);
        found.health = text(&container, "/readinessProbe/httpGet/path");
    }
    let with_address = |object: &&&Value| object.pointer("/spec/clusterIP").is_none_or(|ip| ip != "None");
    found.service = of("Service").iter().find(with_address).and_then(|object| text(object, "/metadata/name"));
    found.budget = named("PodDisruptionBudget");
    found.jobs = objects
        .iter()
        .any(|object| object["kind"] == "Job" && object["metadata"]["annotations"]["helm.sh/hook"].is_null());
    found.tests = objects.iter().any(is_test);
    found
}

impl Found {
    /// Returns the text of the suite file.
    fn suite(&self) -> String {
        let mut text = format!(
            "# How `cargo xtask e2e` tests this chart. See docs/suite.md for all keys and cases.\n\nname = {:?}\nchart = \".\"\n\n",
            self.name
        );
        text += "[image]\nrepository = \"image.repository\"\ntag = \"image.tag\"\n\n";
        if let (Some((kind, name)), Some(service)) = (&self.workload, &self.service) {
            let key = if kind == "StatefulSet" { "stateful_set" } else { "deployment" };
            // Writing to a String can't fail.
            let _ =
                writeln!(text, "[workload]\n{key} = {name:?}\ncontainer = {:?}\nservice = {service:?}", self.container);
            let _ = self.budget.iter().try_for_each(|budget| writeln!(text, "disruption_budget = {budget:?}"));
            text.push('\n');
        }
        if let (Some(port), Some(health)) = (self.port, &self.health) {
            let _ = writeln!(text, "[http]\nport = {port}\nhealth = {health:?}\n");
        }
        let _ = writeln!(text, "[[topology]]\nname = \"r{}\"\nreplicas = {}", self.replicas, self.replicas);
        let _ = self.values.iter().try_for_each(|values| writeln!(text, "values = [{values:?}]"));
        let cases = self.cases().into_iter().map(|case| format!("{case:?}")).collect::<Vec<_>>();
        let _ = writeln!(text, "cases = [{}]", cases.join(", "));
        text
    }

    /// Returns the cases that need nothing but these parts.
    fn cases(&self) -> Vec<&'static str> {
        let served = self.workload.is_some() && self.service.is_some();
        let all = [
            ("install", true),
            ("job_completes", self.jobs),
            ("ready", self.workload.is_some()),
            ("helm_test", self.tests && self.workload.is_some()),
            ("health", served && self.port.is_some() && self.health.is_some()),
            ("uninstall", true),
        ];
        all.into_iter().filter(|(_, there)| *there).map(|(case, _)| case).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_suite_is_made_of_what_a_chart_renders() {
        let objects = [
            json!({ "kind": "Service", "metadata": { "name": "web" }, "spec": {} }),
            json!({ "kind": "Service", "metadata": { "name": "headless" }, "spec": { "clusterIP": "None" } }),
            json!({ "kind": "Deployment", "metadata": { "name": "web" }, "spec": { "replicas": 2, "template": { "spec": { "containers": [{
                "name": "app", "ports": [{ "containerPort": 8080 }], "readinessProbe": { "httpGet": { "path": "/ready" } },
            }] } } } }),
            json!({ "kind": "Pod", "metadata": { "name": "test", "annotations": { "helm.sh/hook": "test" } } }),
        ];
        let suite =
            suite::load::parse(Path::new("e2e.toml"), &find("web", &objects).suite(), &crate::cases::kinds()).unwrap();
        assert_eq!(suite.workload.as_ref().unwrap().object(), ("Deployment", "web"));
        assert_eq!(suite.http.as_ref().unwrap().port, 8080);
        let cases: Vec<_> = suite.topologies[0].cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(cases, ["install", "ready", "helm_test", "health", "uninstall"]);
        assert_eq!(suite.topologies[0].replicas, 2);
    }

    #[test]
    fn a_folder_gives_a_name_that_a_suite_may_have() {
        assert_eq!(label("web-service"), "web-service");
        assert_eq!(label("_My Chart_"), "my-chart");
        assert_eq!(label(&"x".repeat(40)).len(), 30);
        assert_eq!(label("…"), "chart");
    }

    #[test]
    fn a_chart_of_a_job_has_no_replicas_to_ask() {
        let found = find("batch", &[json!({ "kind": "Job", "metadata": { "name": "batch" } })]);
        assert_eq!(found.cases(), ["install", "job_completes", "uninstall"]);
    }
}
