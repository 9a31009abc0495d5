//! `cargo xtask e2e`: one whole run (long because it declares every flag).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use libtest_mimic::{Arguments, ColorSetting, FormatSetting};
use tokio_util::task::AbortOnDropHandle;

use super::preflight::{self, Prepared};
use super::ranges;
use crate::cases;
use crate::drive::Drive;
use crate::execute::execute;
use crate::plan::{Plan, Selection};
use crate::replay;
use crate::run::{Ending, GivenImage, Made, Run, Settings, Subject, guard, lock};
use cluster::{self, Choice, Request, lease, sweep};
use console::exit::{Exit, usage};
use console::interrupt::{Interrupt, Signal};
use console::program;
use events::{Event, Events, What};
use process::{Launcher, quote_line};
use redact::known;
use report::outcome;
use report::{Reports, RunReport, libtest, terminal};
use suite::{load, variant};
use tools::pins::{self, NodeImage};

/// The headings of the groups of flags in `--help`.
const SELECTION: &str = "Selecting cases";
const CLUSTER: &str = "Cluster";
const RELEASE: &str = "Release under test";
const LIMITS: &str = "Limits and budgets";
const REPORTS: &str = "Reports and output";

/// The flags of `cargo xtask e2e`.
#[derive(clap::Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Args {
    /// Run only cases whose names contain one of these words, and the cases they depend on
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
    /// List the selected cases instead of running them
    #[arg(long, help_heading = SELECTION)]
    list: bool,
    /// Match FILTER and --skip against whole names, of a case or of all cases of a topology
    #[arg(long, help_heading = SELECTION)]
    exact: bool,
    /// Leave out cases whose names contain this, unless a selected case depends on them
    #[arg(long, value_name = "FILTER", help_heading = SELECTION)]
    skip: Vec<String>,
    /// Run only topologies with these numbers of replicas
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = ranges::replicas(), help_heading = SELECTION)]
    replicas: Vec<u32>,
    /// Suite file, or folder with an e2e.toml; can be repeated; `all` means every suite below helm/
    #[arg(long, value_name = "PATH", default_value = load::DEFAULT, help_heading = SELECTION)]
    suite: Vec<PathBuf>,
    /// Where to run: auto, kind, embedded or context:NAME; auto is kind if Docker responds, else embedded
    #[arg(long, value_name = "CLUSTER", default_value_t, help_heading = CLUSTER)]
    cluster: Choice,
    /// Allow this run to use the existing cluster of this context; can be repeated
    #[arg(long, value_name = "NAME", help_heading = CLUSTER)]
    allow_context: Vec<String>,
    /// Allow the releases to create objects outside of the run's namespaces on an existing cluster, such as `ClusterRole`
    #[arg(long, help_heading = CLUSTER)]
    allow_cluster_objects: bool,
    /// Configuration file for kind
    #[arg(long, value_name = "FILE", help_heading = CLUSTER)]
    kind_config: Option<PathBuf>,
    /// Node image for kind [default: the pinned one, see `cargo xtask tools`]
    #[arg(long, value_name = "IMAGE", help_heading = CLUSTER)]
    node_image: Option<String>,
    /// Releases of Kubernetes for kind, by their pinned node images, one run after another: 1.34,1.37
    #[arg(long, value_name = "RELEASE", value_delimiter = ',', value_parser = ranges::kubernetes(),
          conflicts_with = "node_image", help_heading = CLUSTER)]
    kubernetes: Vec<String>,
    /// Image under test, as a reference or an archive, or NAME=IMAGE for one of several [default: the suite's stand-in]
    #[arg(long, value_name = "REF|ARCHIVE", help_heading = RELEASE)]
    image: Vec<String>,
    /// Values file, applied after each topology's; can be repeated
    #[arg(long, value_name = "FILE", help_heading = RELEASE)]
    values: Vec<PathBuf>,
    /// Value, applied after each topology's, in helm's syntax; can be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = RELEASE)]
    set: Vec<String>,
    /// Write measured fault costs, plus a margin, to each suite's budgets.CLUSTER.toml instead of checking them
    #[arg(long, help_heading = LIMITS)]
    update_budgets: bool,
    /// Keep cluster, namespaces and releases after the run; an embedded cluster stays until Ctrl-C
    #[arg(long, help_heading = CLUSTER)]
    keep: bool,
    /// Use the cluster that an earlier run kept or that `cargo xtask cluster up` started
    #[arg(long, help_heading = CLUSTER)]
    reuse: bool,
    /// Number of topologies that run in parallel [default: all]
    #[arg(long, value_name = "N", value_parser = ranges::count(), help_heading = LIMITS)]
    jobs: Option<usize>,
    /// Time limit for each case of a topology [default: the suite's]
    #[arg(long, value_name = "SECONDS", value_parser = ranges::seconds(), help_heading = LIMITS)]
    timeout: Option<u64>,
    /// Seed of random faults; the line of a `nemesis` names the one that it had [default: a random one]
    #[arg(long, value_name = "N", value_parser = ranges::seed(), help_heading = SELECTION)]
    seed: Option<u64>,
    /// Folder for evidence and reports [default: target/chartproof/RUN]
    #[arg(long, value_name = "FOLDER", env = "CHARTPROOF_REPORT_DIR", help_heading = REPORTS)]
    report_dir: Option<PathBuf>,
    /// Also write the JUnit report to this file
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    junit: Option<PathBuf>,
    /// Print every command that is run
    #[arg(short, long, help_heading = REPORTS)]
    verbose: bool,
    /// Format of the report on stdout: pretty, terse or json [default: pretty]
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true, help_heading = REPORTS)]
    format: Option<FormatSetting>,
    /// Colors of the report on stdout: auto, always or never [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true, help_heading = REPORTS)]
    color: Option<ColorSetting>,
    /// Print one character per case
    #[arg(short, long, conflicts_with = "format", help_heading = REPORTS)]
    quiet: bool,
    /// Number of threads for the report; to limit the run itself, use --jobs
    #[arg(long, value_name = "N", value_parser = ranges::count(), help_heading = REPORTS)]
    test_threads: Option<usize>,
    /// List ignored cases, of which there are none; for nextest
    #[arg(long, help_heading = REPORTS)]
    ignored: bool,
    /// Accepted for nextest; output is never captured
    #[arg(long, hide = true)]
    nocapture: bool,
}

/// Runs `cargo xtask e2e`: a run for each release of Kubernetes. The exit code is the first that reports a failure.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.kubernetes.len() < 2 || args.list {
        return run_once(args).await.map(ExitCode::from);
    }
    let mut exit = Exit::Passed;
    for release in &args.kubernetes {
        let ended = run_once(args.on(release)).await?;
        console::err(format_args!("Kubernetes {release}: exit code {}", ended.code()));
        exit = if exit == Exit::Passed { ended } else { exit };
        if matches!(ended, Exit::Interrupted | Exit::Terminated) {
            return Ok(ended.into());
        }
    }
    Ok(exit.into())
}

async fn run_once(args: Args) -> anyhow::Result<Exit> {
    let suites = load::read_all(&args.suite, &cases::kinds())?;
    let plan = Plan::of(&suites, &args.selection())?;
    if args.list {
        libtest::list(&args.libtest(), &plan.selected());
        return Ok(Exit::Passed);
    }
    args.check(&plan)?;
    let given = GivenImage::parse_all(&args.image, &suites)?;
    let id = new_id();
    let folder = args.folder(&id)?;
    let _held = lock::take(&folder)?;
    let (events, receiver) = Events::channel();
    let reports = Reports::start(&folder, receiver)?;
    let (leases, run_id) = (lease::folder()?, id.clone());
    let interrupt = Interrupt::listen(move || sweep::abandon(&leases, &run_id))?;
    let launcher = Launcher::for_run(events.clone(), &folder, args.verbose, interrupt.cancel.clone())?;
    let request = Request {
        unused: !plan.runs(&cases::cluster_create::CASE.kind),
        ..args.request(&id, &folder, &lease::folder()?)
    };
    let prepared = preflight::preflight(&launcher, &request, &plan, args.keep).await;
    let Prepared { helm, other_helm, charts, cluster } = prepared.inspect_err(|_| args.undo(&folder))?;
    let mut run = Run {
        id,
        subject: Subject { variants: plan.variants.clone(), about: plan.about(), given },
        settings: args.settings(),
        events,
        folder: folder.clone(),
        launcher,
        helm,
        other_helm,
        charts,
        cluster,
        ending: Ending::on(interrupt.cancel.clone()),
        made: Made::default(),
    };
    publish_names(&run);
    preflight::rendered(&mut run, &request, &plan, args.keep).await.inspect_err(|_| args.undo(&folder))?;
    let run = Arc::new(run);
    // Before any case runs, since files may be edited during the run.
    let suites = run.subject.suites().into_iter().map(Arc::as_ref);
    let inputs = replay::Inputs::of(suites, &run.charts, &run.settings, &run.subject.given_images());
    let libtest = libtest::Libtest::begin(&args.libtest(), &plan.names(), plan.left_out_names());
    begin(&run, &plan, args.rerun_command());
    drive(&run, &plan, args.jobs).await;
    // No early return from here on: every verdict is reported, whatever goes wrong.
    let signal = interrupt.signal();
    let budgets = run.update_budgets().context("could not update the budgets");
    if args.keep {
        run.events.note(run.cluster.keep().await.unwrap_or_else(|error| format!("{error:#}")));
    }
    let mut report = reports.ended(|report| last_event(&run.events, budgets, report, signal)).await;
    // First, since it needs no disk: it is printed even if the other reports can't be written.
    report.print(libtest);
    report.say_again(args.rerun_command());
    report.write(&folder, args.junit.as_deref());
    let kept = inputs.and_then(|inputs| replay::Last::write(&report.run(), &folder, inputs, &replay::path()));
    report.note(kept);
    console::err(terminal::summary(&report.events, &folder.display().to_string()));
    if let Some(error) = &report.trouble {
        console::err(format_args!("the reports are incomplete: {error:#}"));
    }
    let stayed = if args.keep { run.cluster.stay(&run.ending.cancel).await } else { Ok(()) };
    if let Err(error) = &stayed {
        console::err(format_args!("error: the kept cluster could not be deleted: {error:#}"));
    }
    Ok(outcome::despite(report.exit(signal), stayed.is_err()))
}

/// Runs every case of the plan, and watches the cluster meanwhile.
async fn drive(run: &Arc<Run>, plan: &Plan, jobs: Option<usize>) {
    let _guard = AbortOnDropHandle::new(tokio::spawn(guard::watch(run.clone())));
    let jobs = jobs.unwrap_or(usize::from(u16::MAX));
    let turns = run.turns().await;
    for group in &turns {
        run.events.note(format!("{}, so they run one after another", group.why));
    }
    let turns: Vec<_> = turns.into_iter().map(|turns| turns.variants).collect();
    let (cancel, lost) = (&run.ending.cancel, &run.ending.lost);
    let drive = Drive { plan, jobs, turns: &turns, events: &run.events, cancel, lost };
    drive.run(async |case| Box::pin(execute(run, case)).await).await;
}

/// Returns the last event of the stream, with the exit code as it is known now: 0 becomes 3 if a report can't be
/// written later.
fn last_event(events: &Events, budgets: anyhow::Result<()>, report: &mut RunReport, signal: Option<Signal>) -> Event {
    report.note(budgets);
    let took_ms = u64::try_from(events.elapsed().as_millis()).unwrap_or(u64::MAX);
    Event::new(events.elapsed(), What::RunEnded { took_ms, exit_code: report.exit(signal).code().into() })
}

/// Exempts names that are not secrets, however they are passed: the suites' own, and the image under test.
fn publish_names(run: &Run) {
    known::exempt(run.subject.variants.iter().flat_map(|variant| variant.names(&run.id)));
    let images = run.subject.suites().into_iter().flat_map(|suite| &suite.images);
    for image in images.filter_map(|image| run.subject.image_reference(image)) {
        known::publish(&image.name());
        known::publish(image.tag.as_deref().unwrap_or_default());
    }
}

fn begin(run: &Run, plan: &Plan, rerun_command: String) {
    run.events.send(What::RunStarted {
        run_id: run.id.clone(),
        cluster: run.cluster.describe(),
        image: run.subject.image_line(),
        cases: plan.running().map(|(_, case)| case.name.clone()).collect(),
        began_unix_ms: run.events.began_unix_ms(),
        rerun_command,
    });
    run.events.send(What::Selected { cases: plan.selected() });
    for what in &plan.left_out {
        run.events.send(What::LeftOut { what: what.clone() });
    }
    let provider = run.cluster.provider();
    for suite in run.subject.suites() {
        let note = Some(suite.note.clone()).filter(|note| !note.is_empty());
        note.into_iter().chain(suite.not_compared(provider)).for_each(|note| run.events.note(note));
    }
}

/// Returns a short random id for the run.
fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..variant::RUN_ID_LENGTH].to_owned()
}

/// A new seed, short enough to be typed.
fn new_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000
}

impl Args {
    fn selection(&self) -> Selection {
        Selection {
            words: self.words.clone(),
            skip: self.skip.clone(),
            exact: self.exact,
            replicas: self.replicas.clone(),
            keep: self.keep,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            values: self.values.clone(),
            set: self.set.clone(),
            update_budgets: self.update_budgets,
            allow_cluster_objects: self.allow_cluster_objects,
            timeout: self.timeout.map(Duration::from_secs),
            seed: self.seed.unwrap_or_else(new_seed),
            kubernetes: self.kubernetes(),
        }
    }

    /// Returns the flags of the run on one release of Kubernetes, which has a folder and a JUnit report of its own.
    fn on(&self, release: &str) -> Self {
        let ending = |file: &PathBuf| file.extension().map(|ending| format!("{release}.{}", ending.display()));
        let junit = |file: &PathBuf| file.with_extension(ending(file).unwrap_or_else(|| release.to_owned()));
        Self {
            kubernetes: vec![release.to_owned()],
            report_dir: self.report_dir.as_ref().map(|folder| folder.join(release)),
            junit: self.junit.as_ref().map(junit),
            ..self.clone()
        }
    }

    fn kubernetes(&self) -> Option<&'static NodeImage> {
        self.kubernetes.first().and_then(|release| pins::node_image_of(release))
    }

    fn request(&self, id: &str, folder: &Path, leases: &Path) -> Request {
        Request {
            choice: self.cluster.clone(),
            allowed_contexts: self.allow_context.clone(),
            kubeconfig: None,
            kind_config: self.kind_config.clone(),
            node_image: self.node_image.clone().or_else(|| Some(self.kubernetes()?.image.clone())),
            run_id: id.to_owned(),
            run_dir: folder.to_owned(),
            leases: leases.to_owned(),
            reuse: self.reuse,
            unused: false,
            ci: std::env::var_os("CI").is_some(),
        }
    }

    fn libtest(&self) -> Arguments {
        Arguments {
            format: self.format,
            color: self.color,
            quiet: self.quiet,
            test_threads: self.test_threads,
            ignored: self.ignored,
            ..Arguments::default()
        }
    }

    /// Checks the flags, before anything is created.
    fn check(&self, plan: &Plan) -> anyhow::Result<()> {
        if self.ignored {
            return Err(usage("--ignored: no case is ignored, so none would run; leave it out, or add --list"));
        }
        if let Some(misses) = self.selection().misses(plan) {
            return Err(usage(misses));
        }
        let suites: BTreeSet<_> = plan.variants.iter().map(|variant| variant.suite.name.as_str()).collect();
        if suites.len() > 1 && (!self.image.is_empty() || !self.values.is_empty() || !self.set.is_empty()) {
            let suites = suites.into_iter().collect::<Vec<_>>().join(", ");
            return Err(usage(format!("--image, --values and --set need a single suite: run {suites} one by one")));
        }
        if let Some(missing) = self.values.iter().find(|file| !file.is_file()) {
            return Err(usage(format!("--values {}: no such file", missing.display())));
        }
        let has_key = |value: &str| value.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty());
        if let Some(wrong) = self.set.iter().find(|value| !has_key(value)) {
            return Err(usage(format!("--set {wrong}: expected KEY=VALUE")));
        }
        Ok(())
    }

    /// Creates the run's folder, and returns its absolute path.
    fn folder(&self, id: &str) -> anyhow::Result<PathBuf> {
        let target = || Path::new("target").join("chartproof").join(id);
        let folder = self.report_dir.clone().unwrap_or_else(target);
        std::fs::create_dir_all(&folder).with_context(|| format!("creating the run's folder {}", folder.display()))?;
        std::path::absolute(&folder).with_context(|| format!("the run's folder {}", folder.display()))
    }

    /// Removes the folder of a run that did not start, unless the user named it.
    fn undo(&self, folder: &Path) {
        if self.report_dir.is_none() {
            drop(std::fs::remove_dir_all(folder));
        }
    }

    /// Returns the command that repeats this run, without its filters.
    fn rerun_command(&self) -> String {
        let shown = |path: &PathBuf| path.display().to_string();
        let suites = self.suite.iter().filter(|suite| *suite != Path::new(load::DEFAULT)).map(shown);
        let cluster = Some(&self.cluster).filter(|choice| **choice != Choice::Auto).map(ToString::to_string);
        let flags: [(&str, Vec<String>); 11] = [
            ("--suite", suites.collect()),
            ("--cluster", cluster.into_iter().collect()),
            ("--allow-context", self.allow_context.clone()),
            ("--kind-config", self.kind_config.iter().map(shown).collect()),
            ("--node-image", self.node_image.iter().cloned().collect()),
            ("--kubernetes", self.kubernetes.clone()),
            ("--image", self.image.clone()),
            ("--values", self.values.iter().map(shown).collect()),
            ("--set", self.set.clone()),
            ("--timeout", self.timeout.iter().map(ToString::to_string).collect()),
            ("--seed", self.seed.iter().map(ToString::to_string).collect()),
        ];
        let mut words: Vec<String> = program::command().split(' ').chain(["e2e"]).map(str::to_owned).collect();
        words.extend(self.reuse.then(|| "--reuse".to_owned()));
        words.extend(self.allow_cluster_objects.then(|| "--allow-cluster-objects".to_owned()));
        let given = flags.into_iter().flat_map(|(flag, values)| values.into_iter().map(move |value| (flag, value)));
        words.extend(given.flat_map(|(flag, value)| [flag.to_owned(), value]));
        // CI logs must not show values that are secret.
        quote_line(redact::words(&words))
    }
}

#[cfg(test)]
#[path = "e2e_tests.rs"]
mod tests;
