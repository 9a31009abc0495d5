//! `cargo xtask bench e2e`: measures a plain shell script, the same steps in Chartproof, and a whole run, in turn. It
//! uses the usual values and those of the topologies, and prints the ratios.

mod ours;
mod plain;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use self::ours::{Ours, Timed, critical_path};
use self::plain::{Plain, Step};
use super::{Spread, show};
use crate::cases;
use crate::cases::support::case::Case;
use crate::cases::{health, helm_test, install, ready};
use crate::cmd::ranges;
use cluster::Choice;
use console::exit::{Exit, usage};
use images::{self, Archive, Reference, standin};
use process::Launcher;
use suite::{Suite, Topology, load};
use tools::helm::{self, Values};
use tools::{self, Name};

/// The usual values, relative to the chart.
const USUAL: &str = "ci/usual-values.yaml";
/// The name of the image under test in the plain script.
const IMAGE: &str = "chartproof/stand-in:dev";

fn image() -> anyhow::Result<Reference> {
    IMAGE.parse().map_err(|error| anyhow::anyhow!("{IMAGE}: {error}"))
}

/// The flags of `cargo xtask bench e2e`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of measurements of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = ranges::count())]
    runs: usize,
    /// Where to run: kind or embedded
    #[arg(long, value_name = "CLUSTER", default_value_t = Choice::Kind)]
    cluster: Choice,
    /// Suite file, or folder with an e2e.toml
    #[arg(long, value_name = "PATH", default_value = load::DEFAULT)]
    suite: PathBuf,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// The parts of the suite that are deployed.
pub struct Subject {
    chart: PathBuf,
    release: String,
    workload: String,
    service: String,
    port: u16,
    health: String,
    one: Topology,
    three: Topology,
    scale: String,
    image: Vec<String>,
    /// The cases that match the steps of the plain script.
    cases: Vec<String>,
}

/// The measured seconds, run by run.
#[derive(Default)]
struct Taken {
    plain_usual: Vec<Vec<Step>>,
    plain_ours: Vec<Vec<Step>>,
    steps_usual: Vec<f64>,
    steps_ours: Vec<f64>,
    whole: Vec<f64>,
    whole_cases: Vec<Vec<Timed>>,
}

/// Runs `cargo xtask bench e2e`.
///
/// # Errors
/// If a run fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !matches!(args.cluster, Choice::Kind | Choice::Embedded) {
        return Err(usage(format!("--cluster {}: only kind and embedded can be measured", args.cluster)));
    }
    let suite = load::read(&args.suite, &cases::kinds())?;
    let subject = Subject::of(&suite)?;
    let launcher = Launcher::light(args.verbose);
    let xtask = std::env::current_exe().context("the path of the running program")?;
    let program =
        suite.images.first().and_then(|image| image.stand_in.as_deref()).context("the suite has no stand-in")?;
    let archive = standin::build(&launcher, program, &[image()?]).await?;
    let plain = prepare(&launcher, &args.cluster, &subject, &archive, xtask.clone()).await?;
    let ours = Ours { launcher: &launcher, xtask, cluster: &args.cluster, suite: &args.suite };
    let usual = subject.chart.join(USUAL);
    let mut taken = Taken::default();
    for run in 1..=args.runs {
        console::err(format_args!("run {run} of {}", args.runs));
        taken.plain_usual.push(plain.run(&subject.usual(&subject.one), &subject.usual(&subject.three)).await?);
        taken.steps_usual.push(ours.run(&subject.cases, Some(&usual)).await?.0);
        taken.plain_ours.push(plain.run(&subject.own(&subject.one), &subject.own(&subject.three)).await?);
        taken.steps_ours.push(ours.run(&subject.cases, None).await?.0);
        let (seconds, cases) = ours.run(&[], None).await?;
        taken.whole.push(seconds);
        taken.whole_cases.push(cases);
    }
    taken.print(&args.cluster);
    Ok(Exit::Passed.into())
}

/// Finds the tools and, for kind, gets the images into Docker, so that they don't count: in CI, an earlier job builds
/// them.
async fn prepare<'a>(
    launcher: &'a Launcher,
    cluster: &'a Choice,
    subject: &'a Subject,
    archive: &'a Archive,
    xtask: PathBuf,
) -> anyhow::Result<Plain<'a>> {
    let helm = tools::resolve(launcher, Name::Helm).await?;
    let kubectl = tools::resolve(launcher, Name::Kubectl).await?;
    let template = launcher.cmd(&helm.path).args(["template", &subject.release]).arg(&subject.chart);
    let rendered = template.args(subject.usual(&subject.one).args()).run().await?;
    let images: Vec<_> = images::in_manifests(&helm::objects(&rendered)?).into_iter().collect();
    let kind = match cluster {
        Choice::Kind => Some(tools::resolve(launcher, Name::Kind).await?),
        _ => None,
    };
    if kind.is_some() {
        let docker =
            tools::Docker::find(launcher).await.map_err(|none| anyhow::anyhow!("{}; {}", none.reason, none.fix))?;
        launcher.cmd(&docker.tool.path).args(["load", "--input"]).arg(&archive.path).run().await?;
        for image in images.iter().filter(|image| *image != IMAGE) {
            let reference: Reference = image.parse().map_err(|error| anyhow::anyhow!("{image}: {error}"))?;
            images::provide(launcher, &docker, &reference, images::RETRIES).await?;
        }
    }
    Ok(Plain { launcher, subject, cluster, archive, images, helm, kubectl, kind, xtask })
}

impl Subject {
    /// # Errors
    /// If the suite lacks a part of the plain script: a StatefulSet, HTTP, a topology with `pod_kill` and one with
    /// `pod_kill_leader`.
    fn of(suite: &Suite) -> anyhow::Result<Self> {
        let workload = suite.workloads.first().context("the suite has no [workload]")?;
        let http = workload.http.as_ref().context("the suite has no [http]")?;
        let (kill, kill_leader) = (&cases::pod_kill::CASE, &cases::pod_kill_leader::CASE);
        let killed = |case: &Case| {
            let has = |topology: &&Topology| topology.cases.iter().any(|spec| *spec.kind == case.kind);
            suite.topologies.iter().find(has).cloned().with_context(|| format!("no topology has {}", case.kind.name))
        };
        let (one, three) = (killed(kill)?, killed(kill_leader)?);
        let steps = |topology: &Topology, kill: &Case| {
            let cases = [&install::CASE, &ready::CASE, &helm_test::CASE, &health::CASE, kill];
            cases.map(|case| format!("{}::{}::{}", suite.name, topology.name, case.kind.name)).to_vec()
        };
        Ok(Self {
            chart: suite.under_test().source.folder().context("the chart is not a folder")?.to_owned(),
            release: suite.under_test().name.clone(),
            workload: workload.stateful_set.clone().context("the suite has no StatefulSet")?,
            service: workload.service.clone().context("[workload] of the suite has no `service`")?,
            port: http.port,
            health: http.health.clone().context("[http] of the suite has no `health`")?.into(),
            cases: [steps(&one, kill), steps(&three, kill_leader)].concat(),
            one,
            three,
            scale: suite.scale.value.clone(),
            image: suite.images.first().context("the suite has no [image]")?.values(&image()?),
        })
    }

    /// Returns the usual values on top of the chart's own.
    fn usual(&self, topology: &Topology) -> Values {
        self.values(vec![self.chart.join(USUAL)], vec![format!("{}={}", self.scale, topology.replicas)])
    }

    /// Returns the values of a topology.
    fn own(&self, topology: &Topology) -> Values {
        self.values(topology.values.iter().map(|file| self.chart.join(file)).collect(), topology.set.clone())
    }

    fn values(&self, files: Vec<PathBuf>, set: Vec<String>) -> Values {
        Values { files, set, set_string: self.image.clone() }
    }
}

impl Taken {
    fn print(&self, cluster: &Choice) {
        let total =
            |runs: &[Vec<Step>]| Spread::of(runs.iter().map(|steps| steps.iter().map(|step| step.1).sum()).collect());
        let (plain_usual, plain_ours) = (total(&self.plain_usual), total(&self.plain_ours));
        let of = |seconds: &[f64]| Spread::of(seconds.to_vec());
        let (steps_usual, steps_ours, whole) = (of(&self.steps_usual), of(&self.steps_ours), of(&self.whole));
        console::out(format_args!("on {cluster}"));
        show("plain script, usual values", &plain_usual, "s");
        show("plain script, topology's values", &plain_ours, "s");
        show("same steps, usual values", &steps_usual, "s");
        show("same steps, topology's values", &steps_ours, "s");
        show("whole run", &whole, "s");
        let ratio = |name: &str, ours: &Spread, plain: &Spread| {
            console::out(format_args!("{name:<40} {:.2}", ours.median / plain.median));
        };
        ratio("ratio of same steps, usual values", &steps_usual, &plain_usual);
        ratio("ratio of same steps, topology's values", &steps_ours, &plain_ours);
        ratio("ratio of same steps, each its own values", &steps_ours, &plain_usual);
        ratio("ratio of whole run to plain script", &whole, &plain_usual);
        table("plain script, usual values, step by step", &self.plain_usual);
        table("plain script, topology's values, step by step", &self.plain_ours);
        let cases =
            self.whole_cases.iter().map(|run| run.iter().map(|timed| (timed.case.clone(), timed.took())).collect());
        table("whole run, case by case", &cases.collect::<Vec<_>>());
        console::out(format_args!("critical path of the last whole run"));
        for timed in critical_path(self.whole_cases.last().map_or(&[], Vec::as_slice)) {
            console::out(format_args!(
                "  {:<44} {:>7.2} to {:>7.2}  {:>7.2} s",
                timed.case,
                timed.began,
                timed.ended,
                timed.took()
            ));
        }
    }
}

/// Prints the median of each step over all runs, in the order of the first run.
fn table(title: &str, runs: &[Vec<Step>]) {
    let mut seconds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, took) in runs.iter().flatten() {
        seconds.entry(name).or_default().push(*took);
    }
    console::out(format_args!("{title}: medians"));
    for (name, _) in runs.first().into_iter().flatten() {
        let spread = Spread::of(seconds.remove(name.as_str()).unwrap_or_default());
        console::out(format_args!("  {name:<44} {:>7.2} s", spread.median));
    }
}
