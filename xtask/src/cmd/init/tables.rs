//! The tables about a workload: what runs it, how it is asked, and its image.

use std::fmt::Write as _;

use super::found::{Found, image};
use super::lines::{comment, quoted};
use super::pods::{WORKLOADS, Workload};
use super::probe::{self, Probe};
use suite::ImageUnderTest;

/// Returns `[image]`, or an `[[image]]` for each.
pub fn images(found: &Found) -> String {
    let one_of_several = found.images.len() > 1;
    let mut text: String = found.images.iter().map(|one| values(one, one_of_several)).collect::<Vec<_>>().join("\n");
    if let Some(image) = found.main_image().filter(|_| found.lacks_main_image()) {
        let refused = found.refused.as_ref().map(|words| format!(" helm refuses others: {words}")).unwrap_or_default();
        let missing = format!(
            "[image] is missing: no value was found that sets {image}, so --image can't replace it.{refused} \
             Write the paths of the chart's values:"
        );
        let space = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{space}{}# [image]\n# repository = \"…\"\n# tag = \"…\"\n", comment(&missing));
    }
    text
}

fn values(image: &ImageUnderTest, one_of_several: bool) -> String {
    let ImageUnderTest { name, repository, tag, registry, digest, .. } = image;
    let head = if one_of_several { "[[image]]\n" } else { "[image]\n" };
    let name = name.as_ref().filter(|_| one_of_several);
    let repository = Some(repository);
    let rest = [("name", name), ("repository", repository)];
    let rest =
        rest.into_iter().chain([("tag", tag.as_ref()), ("registry", registry.as_ref()), ("digest", digest.as_ref())]);
    let lines = rest.filter_map(|(key, value)| Some(format!("{key} = {:?}\n", value?)));
    head.to_owned() + &lines.collect::<String>()
}

/// Returns the tables of a workload: `[workload]` and `[http]` of the only one, or `[[workload]]` and `[workload.http]`.
pub fn workload(found: &Found, index: usize) -> String {
    let workload = &found.workloads[index];
    let one_of_several = found.workloads.len() > 1;
    let key = WORKLOADS.iter().find(|(kind, _)| *kind == workload.kind).map_or("deployment", |(_, key)| *key);
    let head = if one_of_several { "[[workload]]" } else { "[workload]" };
    let mut text = format!("{head}\n{key} = {:?}\ncontainer = {:?}\n", workload.name, workload.container);
    for (key, value) in [("service", &workload.service), ("disruption_budget", &workload.budget)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {value:?}");
        }
    }
    if let Some(replicas) = found.own_replicas(index) {
        let _ = writeln!(text, "replicas = {replicas}");
    }
    text += &image_of(found, workload);
    let asked = asked(workload, if one_of_several { "workload." } else { "" });
    if !asked.is_empty() {
        let _ = write!(text, "\n{asked}");
    }
    text
}

/// Returns which image under test the workload's container runs, if it is not the first one.
fn image_of(found: &Found, workload: &Workload) -> String {
    match workload.image {
        Some(0) => String::new(),
        Some(index) => format!("image = {:?}\n", found.images[index].name.as_deref().unwrap_or_default()),
        None if found.images.is_empty() => String::new(),
        None => {
            let image = image(workload).unwrap_or_default();
            comment(&format!("No value was found that sets {image}.")) + "own_image = true\n"
        }
    }
}

/// Returns how a replica is asked for its health: as its probe does.
fn asked(workload: &Workload, prefix: &str) -> String {
    let missing = |why: &str| comment(&format!("[{prefix}http] is missing: {why}"));
    match probe::of(workload) {
        Some(Probe::Http { port, path, is_https }) => {
            let tls = if is_https { "scheme = \"https\"\nverify = false # nor does the probe\n" } else { "" };
            format!("[{prefix}http]\nport = {port}\n{tls}health = {path:?}\n")
        }
        Some(Probe::Exec(command)) => {
            let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
            format!("[{prefix}health]\nrequest = {{ exec = [{}] }}\n", words.join(", "))
        }
        Some(Probe::Other(kind)) => missing(&format!("the probe is a {kind}; `ready` waits for it.")),
        None => missing(
            "the container has no probe, so kubelet calls it ready as soon as it runs. Write `port` and `health`, a \
             path that returns 200.",
        ),
    }
}
