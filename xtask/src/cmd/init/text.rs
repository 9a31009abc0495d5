//! The text of the suite file, with comments on what was chosen and on what is missing.

use std::fmt::Write as _;

use super::found::Found;
use super::lines::{WIDTH, comment, quoted};
use super::{cases, known, tables};
use suite::PodSecurity;

/// The number of replicas of the second topology.
pub const SEVERAL: u64 = 3;
/// Returns the text of the suite file.
pub fn suite(found: &Found) -> String {
    let mut parts = vec![head(found), tables::images(found)];
    for index in 0..found.workloads.len() {
        parts.push(tables::workload(found, index));
        if index == 0 {
            parts.push(records(found));
        }
    }
    parts.extend([scale(found), topologies(found)]);
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn head(found: &Found) -> String {
    // Writing to a String can't fail.
    let mut text = "# How `cargo xtask e2e` tests this chart. See docs/suite.md for all keys and cases.\n\n".to_owned();
    let (chart, version) = &found.chart;
    let _ = write!(text, "name = {:?}\nchart = {}\n", found.name, quoted(chart));
    if let Some(version) = version {
        let _ = writeln!(text, "version = {}", quoted(version));
    }
    if let Some(why) = &found.security.in_the_way {
        text += &comment(&format!("Not stricter, because of {why}"));
    }
    if found.security.level != PodSecurity::Privileged {
        let _ = writeln!(text, "pod_security = {:?}", found.security.level.label());
    }
    text
}

fn scale(found: &Found) -> String {
    match (&found.replicas, found.workloads.first()) {
        (Some(replicas), _) if replicas.with.is_empty() => format!("[scale]\nvalue = {:?}\n", replicas.value),
        (Some(replicas), _) => {
            format!("# Only with {}:\n# [scale]\n# value = {:?}\n", replicas.with.join(","), replicas.value)
        }
        (None, Some(main)) if !main.is_on_each_node() => comment(
            "[scale] is missing: no value was found that sets the number of replicas. Write its path as `value`.",
        ),
        (None, _) => String::new(),
    }
}

/// Returns the records of the first workload as comments.
fn records(found: &Found) -> String {
    if found.workloads.is_empty() {
        return String::new();
    }
    let prefix = if found.workloads.len() > 1 { "workload." } else { "" };
    let Some(tables) = found.main_image().and_then(known::records) else {
        return comment(&format!(
            "[{prefix}records] is missing: how a record is written and read. Without it, cases that kill pods don't \
             check data."
        ));
    };
    let mut text =
        comment("How a record may be written and read. Remove the `# ` before each line, try it, and add cases.");
    for line in tables.lines() {
        let line = line.strip_prefix('[').map_or_else(|| line.to_owned(), |rest| format!("[{prefix}{rest}"));
        text += format!("# {line}").trim_end();
        text.push('\n');
    }
    text
}

fn topologies(found: &Found) -> String {
    let one = found.workloads.first().map_or(1, |workload| workload.replicas);
    let mut text = topology(found, one, &[]);
    if let Some(replicas) = found.replicas.as_ref().filter(|_| found.scales.is_some()) {
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
    let cases = cases::of(found, replicas);
    let line = format!("cases = [{}]\n", cases.join(", "));
    if line.len() <= WIDTH {
        text += &line;
    } else {
        let _ = writeln!(text, "cases = [\n    {},\n]", cases.join(",\n    "));
    }
    text
}
