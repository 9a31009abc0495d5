//! The text of the suite file, with comments on what was chosen and on what is missing.

use std::fmt::Write as _;

use super::found::Found;
use super::known;
use super::probe::Probe;
use suite::{ImageUnderTest, PodSecurity};

/// The number of replicas of the second topology.
pub const SEVERAL: u64 = 3;
/// How long a comment's line may be.
const WIDTH: usize = 110;

/// Returns the text of the suite file.
pub fn suite(found: &Found) -> String {
    let parts =
        [head(found), image(found), workload(found), http(found), scale(found), records(found), topologies(found)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn head(found: &Found) -> String {
    // Writing to a String can't fail.
    let mut text = "# How `cargo xtask e2e` tests this chart. See docs/suite.md for all keys and cases.\n\n".to_owned();
    let _ = write!(text, "name = {:?}\nchart = \".\"\n", found.name);
    if let Some(why) = &found.security.in_the_way {
        text += &comment(&format!("Not stricter, because of {why}"));
    }
    if found.security.level != PodSecurity::Privileged {
        let _ = writeln!(text, "pod_security = {:?}", found.security.level.label());
    }
    text
}

fn image(found: &Found) -> String {
    match (&found.image, found.main_image()) {
        (Some(ImageUnderTest { repository, tag, registry, digest, .. }), _) => {
            let rest = [("tag", tag), ("registry", registry), ("digest", digest)];
            let rest = rest.into_iter().filter_map(|(key, path)| Some(format!("{key} = {:?}\n", path.as_ref()?)));
            format!("[image]\nrepository = {repository:?}\n{}", rest.collect::<String>())
        }
        (None, Some(image)) => {
            let refused =
                found.refused.as_ref().map(|words| format!(" helm refuses others: {words}")).unwrap_or_default();
            let missing = format!(
                "[image] is missing: no value was found that sets {image}, so --image can't replace it.{refused} \
                 Write the paths of the chart's values:"
            );
            format!("{}# [image]\n# repository = \"…\"\n# tag = \"…\"\n", comment(&missing))
        }
        (None, None) => String::new(),
    }
}

fn workload(found: &Found) -> String {
    let Some(workload) = found.workloads.first() else { return String::new() };
    let key = if workload.kind == "StatefulSet" { "stateful_set" } else { "deployment" };
    let mut text = format!("[workload]\n{key} = {:?}\ncontainer = {:?}\n", workload.name, workload.container);
    if let Some(service) = &workload.service {
        let _ = writeln!(text, "service = {service:?}");
    }
    if let Some(budget) = &workload.budget {
        let _ = writeln!(text, "disruption_budget = {budget:?}");
    }
    for other in &found.workloads[1..] {
        let service = other.service.as_ref().map(|service| format!(", service {service}")).unwrap_or_default();
        text += &comment(&format!("Also here: {}/{}, container {}{service}", other.kind, other.name, other.container));
    }
    text
}

fn http(found: &Found) -> String {
    match &found.probe {
        Some(Probe::Http { port, path, is_https: false }) => format!("[http]\nport = {port}\nhealth = {path:?}\n"),
        Some(Probe::Http { port, path, is_https: true }) => comment(&format!(
            "[http] is missing: the probe asks port {port} for {path} by HTTPS; `ready` waits for it."
        )),
        Some(Probe::Exec(command)) => {
            comment(&format!("[http] is missing: the probe is the command {command:?}; `ready` waits for it."))
        }
        Some(Probe::Other(kind)) => {
            comment(&format!("[http] is missing: the probe is a {kind}; `ready` waits for it."))
        }
        None if !found.workloads.is_empty() => comment(
            "[http] is missing: the container has no probe, so kubelet calls it ready as soon as it runs. Write `port` \
             and `health`, a path that returns 200.",
        ),
        None => String::new(),
    }
}

fn scale(found: &Found) -> String {
    match (&found.replicas, found.workloads.first()) {
        (Some(replicas), _) if replicas.with.is_empty() => format!("[scale]\nvalue = {:?}\n", replicas.value),
        (Some(replicas), _) => {
            format!("# Only with {}:\n# [scale]\n# value = {:?}\n", replicas.with.join(","), replicas.value)
        }
        (None, Some(_)) => comment(
            "[scale] is missing: no value was found that sets the number of replicas. Write its path as `value`.",
        ),
        (None, None) => String::new(),
    }
}

fn records(found: &Found) -> String {
    if found.workloads.is_empty() {
        return String::new();
    }
    let Some(tables) = found.main_image().and_then(known::records) else {
        return comment(
            "[records] is missing: how a record is written and read. Without it, cases that kill pods don't check data.",
        );
    };
    let mut text =
        comment("How a record may be written and read. Remove the `# ` before each line, try it, and add cases.");
    for line in tables.lines() {
        text += format!("# {line}").trim_end();
        text.push('\n');
    }
    text
}

fn topologies(found: &Found) -> String {
    let one = found.workloads.first().map_or(1, |workload| workload.replicas);
    let mut text = topology(found, one, &[]);
    if let Some(replicas) = found.replicas.as_ref().filter(|_| found.is_scalable && one < SEVERAL) {
        text += "\n";
        text += &topology(found, SEVERAL, &replicas.set(SEVERAL));
    }
    text
}

fn topology(found: &Found, replicas: u64, set: &[String]) -> String {
    let mut text = format!("[[topology]]\nname = \"r{replicas}\"\nreplicas = {replicas}\n");
    if let Some(values) = &found.values {
        let _ = writeln!(text, "values = [{values:?}]");
    }
    let set: Vec<_> = found.set.iter().chain(set).collect();
    if !set.is_empty() {
        let _ = writeln!(text, "set = {set:?}");
    }
    let cases: Vec<_> = found.cases(replicas).into_iter().map(|case| format!("{case:?}")).collect();
    let _ = writeln!(text, "cases = [{}]", cases.join(", "));
    text
}

/// Returns a comment of one or several lines.
fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH || line == "#" => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}
