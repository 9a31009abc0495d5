//! `caesium job`: a batch job that writes a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Names;
use crate::{files, log};

/// Writes a file made from its environment, then ends with an exit code
#[derive(Debug, clap::Args)]
pub struct Job {
    /// The file to write
    #[arg(long, env = "STANDIN_JOB_OUTPUT")]
    output: Option<PathBuf>,
    /// What to write; {NAME} is replaced by that environment variable, which must be set
    #[arg(long, env = "STANDIN_JOB_CONTENT", default_value = "", hide_default_value = true)]
    content: String,
    /// Environment variables that must be set and not empty, comma-separated
    #[arg(long, env = "STANDIN_REQUIRE_ENV", default_value = "", hide_default_value = true, value_parser = super::names)]
    require_env: Names,
    /// How many seconds to work before the file is written
    #[arg(long, env = "STANDIN_JOB_TAKES_S", default_value_t = 0.0)]
    takes: f64,
    /// How many attempts fail at first; they are counted in a file beside the output
    #[arg(long, env = "STANDIN_JOB_FAIL_TIMES", default_value_t = 0)]
    fail_times: u32,
    /// The exit code at the end
    #[arg(long, env = "STANDIN_JOB_EXIT", default_value_t = 0)]
    exit: u8,
}

impl Job {
    /// Does the work; if it can't, the reason is the container's termination message.
    pub async fn run(self) -> Result<ExitCode> {
        let done = self.work().await;
        if let Err(error) = &done {
            // Only a container has a file for it.
            let _ = fs::OpenOptions::new()
                .write(true)
                .open("/dev/termination-log")
                .and_then(|mut file| std::io::Write::write_all(&mut file, format!("{error:#}").as_bytes()));
        }
        done.map(|()| ExitCode::from(self.exit))
    }

    async fn work(&self) -> Result<()> {
        require(&self.require_env)?;
        let content = fill(&self.content, |name| std::env::var(name).ok())?;
        tokio::time::sleep(Duration::try_from_secs_f64(self.takes)?).await;
        let Some(output) = &self.output else { return Ok(()) };
        let attempt = count_attempt(output)?;
        if attempt <= self.fail_times {
            bail!("attempt {attempt} fails, as the first {} do", self.fail_times);
        }
        files::replace(output, content.as_bytes()).with_context(|| format!("{} can't be written", output.display()))?;
        log::info(format_args!("attempt {attempt}: {} bytes written to {}", content.len(), output.display()));
        Ok(())
    }
}

/// Checks that variables are set; names all that are not.
pub fn require(names: &[String]) -> Result<()> {
    let missing = names.iter().filter(|name| std::env::var(name).unwrap_or_default().is_empty());
    let missing: Vec<_> = missing.map(String::as_str).collect();
    if missing.is_empty() { Ok(()) } else { bail!("environment lacks {}", missing.join(", ")) }
}

fn count_attempt(output: &Path) -> Result<u32> {
    let path = output.with_extension("attempts");
    let before = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0_u32);
    fs::write(&path, format!("{}\n", before + 1)).with_context(|| format!("{} can't be written", path.display()))?;
    Ok(before + 1)
}

fn fill(template: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut parts = template.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').with_context(|| format!("--content: {{{part} has no closing brace"))?;
        filled += &variable(name).with_context(|| format!("environment lacks {name}"))?;
        filled += rest;
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let variable = |name: &str| (name == "START").then(|| "2026-01-01".to_owned());
        assert_eq!(fill("from {START}\n", variable).unwrap(), "from 2026-01-01\n");
        assert_eq!(fill("plain", variable).unwrap(), "plain");
        assert_eq!(fill("to {END}", variable).unwrap_err().to_string(), "environment lacks END");
        assert!(fill("to {END", variable).unwrap_err().to_string().contains("has no closing brace"));
    }
}
