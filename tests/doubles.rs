//! Plays kind or docker from recordings: a binary that stands in a folder under the tool's name. It refuses a command
//! line that it has no recording for, and a rule says what follows from one.
//!
//! The folder holds `recordings.jsonl`, `rules.json`, `state` (a word, `absent` at first) and `log` (a line for each
//! command that was started).

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;

/// Exit code of a command line without a recording.
const REFUSED: u8 = 97;
/// The longest that a rule may wait for another command.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What a tool was seen to do.
#[derive(Deserialize)]
struct Recording {
    name: String,
    argv: Vec<String>,
    rc: i32,
    stdout: String,
    stderr: String,
}

/// When a recording is played, and what follows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    recording: String,
    /// In one of these states; in any if empty.
    when: Vec<String>,
    /// How often; for ever if absent.
    times: Option<usize>,
    /// What it goes through, in turn.
    steps: Vec<Step>,
    /// The state afterwards; as it was if absent.
    then: Option<String>,
    /// A file that it writes.
    writes: Option<PathBuf>,
}

/// A state that holds until another recording was started.
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
            eprintln!("double: {error:#}");
            ExitCode::from(REFUSED)
        }
    }
}

fn play() -> anyhow::Result<ExitCode> {
    let mut argv: Vec<String> = std::env::args().collect();
    let program = which::which(&argv[0]).context("who am I")?;
    let folder = program.parent().context("a double without a folder")?.to_owned();
    argv[0] = program.file_name().context("a double without a name")?.to_string_lossy().into_owned();
    let (recording, rule) = find(&folder, &argv)?;
    append_log(&folder, &recording.name, &argv)?;
    for Step { state, until } in &rule.steps {
        set_state(&folder, state)?;
        wait_for(&folder, until)?;
    }
    if argv.iter().any(|word| word == "-") {
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    if let Some(path) = &rule.writes {
        std::fs::write(path, "written by a double\n").with_context(|| path.display().to_string())?;
    }
    if let Some(state) = &rule.then {
        set_state(&folder, state)?;
    }
    print!("{}", recording.stdout);
    eprint!("{}", recording.stderr);
    Ok(ExitCode::from(u8::try_from(recording.rc).unwrap_or(1)))
}

/// The first rule that fits the command line and the state and is not used up.
fn find(folder: &Path, argv: &[String]) -> anyhow::Result<(Recording, Rule)> {
    let recordings = std::fs::read_to_string(folder.join("recordings.jsonl"))?;
    let recordings = recordings.lines().map(serde_json::from_str).collect::<Result<Vec<Recording>, _>>()?;
    let rules: Vec<Rule> = serde_json::from_str(&std::fs::read_to_string(folder.join("rules.json"))?)?;
    let state = state(folder);
    let fits = |rule: &&Rule| {
        let same = recordings.iter().any(|one| one.name == rule.recording && one.argv == argv);
        let now = rule.when.is_empty() || rule.when.contains(&state);
        same && now && rule.times.is_none_or(|times| played(folder, &rule.recording) < times)
    };
    let Some(index) = rules.iter().position(|rule| fits(&rule)) else {
        append_log(folder, "REFUSED", argv)?;
        bail!("no recording of {argv:?} in state {state:?}");
    };
    let rule = rules.into_iter().nth(index).context("the rule")?;
    let recording = recordings.into_iter().find(|one| one.name == rule.recording && one.argv == argv);
    Ok((recording.context("the recording")?, rule))
}

fn state(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("state")).unwrap_or_else(|_| "absent".to_owned())
}

fn set_state(folder: &Path, state: &str) -> anyhow::Result<()> {
    let new = folder.join(format!("state.{}", std::process::id()));
    std::fs::write(&new, state)?;
    Ok(std::fs::rename(new, folder.join("state"))?)
}

fn append_log(folder: &Path, name: &str, argv: &[String]) -> anyhow::Result<()> {
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    Ok(log.write_all(format!("{name}\t{}\n", argv.join(" ")).as_bytes())?)
}

fn played(folder: &Path, name: &str) -> usize {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.lines().filter(|line| line.split('\t').next() == Some(name)).count()
}

/// Waits until another recording was started; the log is a file, so it is looked at.
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
