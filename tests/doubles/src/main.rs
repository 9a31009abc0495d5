//! A fake of kind or docker that replays recordings: a binary in a folder, under the tool's name. It rejects a command
//! line without a recording; a rule defines the effects of each one.
//!
//! The folder contains `recordings.jsonl`, `rules.json`, `state` (a word, initially `absent`), `log` (a line for each
//! command that was started), and the run's values of `$NAME` and `$CLIENT` in the recordings.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cluster::kind::PREFIX;
use embedded::cluster::Cluster;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use serde::Deserialize;

/// Exit code for a command line without a recording.
const REFUSED: u8 = 97;
/// The longest that a rule may wait for another command.
const WAIT_MAX: Duration = Duration::from_secs(180);

/// A tool's recorded behaviour.
#[derive(Deserialize)]
struct Recording {
    name: String,
    argv: Vec<String>,
    rc: i32,
    stdout: String,
    stderr: String,
}

/// When a recording is replayed, and with which effects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    recording: String,
    /// The states in which it applies; any if empty.
    when: Vec<String>,
    /// How often it applies; forever if absent.
    times: Option<usize>,
    /// The steps that it goes through.
    steps: Vec<Step>,
    /// The state afterwards; unchanged if absent.
    then: Option<String>,
    /// Its additional effect.
    does: Option<Effect>,
}

/// An effect besides output.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Effect {
    /// Writes a file.
    Writes(PathBuf),
    /// Writes a copy of a file, into a folder that it creates.
    Copies { from: PathBuf, to: PathBuf },
    /// Writes a kubeconfig like kind's for the embedded cluster with this run directory.
    Kubeconfig { of: PathBuf, to: PathBuf },
    /// Loads the image archive of the command line into the embedded cluster with this run directory.
    Loads { into: PathBuf },
    /// Kills the container whose id ends the command line, in the embedded cluster with this run directory.
    Kills { of: PathBuf },
}

/// A state that lasts until another recording was started.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    state: String,
    until: String,
}

fn main() -> ExitCode {
    match play() {
        Ok(code) => code,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "double: {error:#}"));
            ExitCode::from(REFUSED)
        }
    }
}

fn play() -> anyhow::Result<ExitCode> {
    let mut argv: Vec<String> = std::env::args().collect();
    let program = which::which(&argv[0]).context("find this program's own path")?;
    let folder = program.parent().context("a fake without a folder")?.to_owned();
    argv[0] = program.file_name().context("a fake without a name")?.to_string_lossy().into_owned();
    let chosen = Chosen::of(&folder, &argv)?;
    let (recording, rule) = find(&folder, &argv, &chosen)?;
    append_log(&folder, &recording.name, &argv)?;
    for Step { state, until } in &rule.steps {
        set_state(&folder, state)?;
        wait_for(&folder, until)?;
    }
    if argv.iter().any(|word| word == "-i") {
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    if let Some(effect) = &rule.does {
        effect.take_place(&argv, &chosen)?;
    }
    if let Some(state) = &rule.then {
        set_state(&folder, state)?;
    }
    std::io::stdout().write_all(recording.stdout.as_bytes())?;
    std::io::stderr().write_all(recording.stderr.as_bytes())?;
    Ok(ExitCode::from(u8::try_from(recording.rc).unwrap_or(1)))
}

impl Effect {
    fn take_place(&self, argv: &[String], chosen: &Chosen) -> anyhow::Result<()> {
        match self {
            Self::Writes(path) => {
                std::fs::write(path, "written by a fake\n").with_context(|| path.display().to_string())
            }
            Self::Copies { from, to } => {
                std::fs::create_dir_all(to.parent().context("a file without a folder")?)?;
                std::fs::copy(from, to).with_context(|| from.display().to_string())?;
                Ok(())
            }
            Self::Kubeconfig { of, to } => {
                let mut kubeconfig = Kubeconfig::read_from(of.join("kubeconfig"))?;
                let context = chosen.fill("kind-$NAME");
                kubeconfig.contexts.iter_mut().for_each(|entry| entry.name.clone_from(&context));
                kubeconfig.current_context = Some(context);
                std::fs::write(to, serde_json::to_vec(&kubeconfig)?).with_context(|| to.display().to_string())
            }
            Self::Loads { into } => {
                let archive = argv.iter().skip_while(|word| *word != "image-archive").nth(1);
                let archive = archive.context("no image-archive in the command line")?;
                runtime()?.block_on(Cluster::attach(into)?.load_images(archive.as_ref()))?;
                Ok(())
            }
            Self::Kills { of } => runtime()?.block_on(kill(of, argv.last().context("no id")?)),
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Kills the container with this id.
async fn kill(cluster: &Path, id: &str) -> anyhow::Result<()> {
    let client = kubernetes::client(&cluster.join("kubeconfig"), "chartproof").await?;
    for pod in Api::<Pod>::all(client).list(&ListParams::default()).await? {
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let is_it = |one: &&ContainerStatus| one.container_id.as_ref().is_some_and(|found| found.ends_with(id));
        if let Some(status) = statuses.into_iter().find(is_it) {
            let uid = pod.metadata.uid.as_ref().context("a pod without an uid")?;
            return Cluster::attach(cluster)?.kill_container(uid, &status.name).await;
        }
    }
    bail!("no container {id}")
}

/// The run's values of variables in the recordings: the cluster's name, and the digest of the client's image.
struct Chosen(Vec<(&'static str, String)>);

impl Chosen {
    /// Reads them from the command line, or else from an earlier one.
    fn of(folder: &Path, argv: &[String]) -> anyhow::Result<Self> {
        let find = |variable: &'static str, prefix: &str| {
            let rest = argv.iter().find_map(|word| word.rsplit(['=', '/']).next()?.strip_prefix(prefix));
            let file = folder.join(variable.trim_start_matches('$'));
            if let Some(rest) = rest {
                let id: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                replace(&file, &id)?;
            }
            anyhow::Ok((variable, std::fs::read_to_string(&file).unwrap_or_default()))
        };
        let (name, id) = find("$NAME", PREFIX)?;
        Ok(Self(vec![(name, format!("{PREFIX}{id}")), find("$CLIENT", "client-")?]))
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (variable, value)| text.replace(variable, value))
    }
}

/// Returns the first rule that matches the command line and the state and is not used up.
fn find(folder: &Path, argv: &[String], chosen: &Chosen) -> anyhow::Result<(Recording, Rule)> {
    let read = |file: &str| anyhow::Ok(chosen.fill(&std::fs::read_to_string(folder.join(file))?));
    let recordings = read("recordings.jsonl")?;
    let recordings = recordings.lines().map(serde_json::from_str).collect::<Result<Vec<Recording>, _>>()?;
    let rules: Vec<Rule> = serde_json::from_str(&read("rules.json")?)?;
    let state = state(folder);
    let fits = |rule: &&Rule| {
        let same = recordings.iter().any(|one| one.name == rule.recording && matches(&one.argv, argv));
        let now = rule.when.is_empty() || rule.when.contains(&state);
        same && now && rule.times.is_none_or(|times| played(folder, &rule.recording) < times)
    };
    let Some(index) = rules.iter().position(|rule| fits(&rule)) else {
        append_log(folder, "REFUSED", argv)?;
        bail!("no recording of {argv:?} in state {state:?}");
    };
    let rule = rules.into_iter().nth(index).context("the rule")?;
    let recording = recordings.into_iter().find(|one| one.name == rule.recording);
    Ok((recording.context("the recording")?, rule))
}

/// Returns whether a command line is the recorded one. In one written by hand, `*` stands for a word and a final `...`
/// for any number of words.
fn matches(recorded: &[String], argv: &[String]) -> bool {
    let (recorded, open) = match recorded.split_last() {
        Some((last, front)) if last == "..." => (front, true),
        _ => (recorded, false),
    };
    let enough = if open { argv.len() >= recorded.len() } else { argv.len() == recorded.len() };
    enough && recorded.iter().zip(argv).all(|(recorded, word)| recorded == "*" || recorded == word)
}

fn state(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("state")).unwrap_or_else(|_| "absent".to_owned())
}

fn set_state(folder: &Path, state: &str) -> anyhow::Result<()> {
    replace(&folder.join("state"), state)
}

/// Writes a file atomically: another fake may be reading it.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension(std::process::id().to_string());
    std::fs::write(&new, text)?;
    Ok(std::fs::rename(new, path)?)
}

fn append_log(folder: &Path, name: &str, argv: &[String]) -> anyhow::Result<()> {
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    Ok(log.write_all(format!("{name}\t{}\n", argv.join(" ")).as_bytes())?)
}

fn played(folder: &Path, name: &str) -> usize {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.lines().filter(|line| line.split('\t').next() == Some(name)).count()
}

/// Waits until another recording was started, by polling the log.
fn wait_for(folder: &Path, name: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + WAIT_MAX;
    while played(folder, name) == 0 {
        if Instant::now() >= deadline {
            bail!("{name} was not called within {} s", WAIT_MAX.as_secs());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}
