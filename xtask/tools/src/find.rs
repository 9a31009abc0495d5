//! Finds a tool: on PATH, else in the cache, else by fetching it.

use super::pins::{self, Pin};
use super::{Missing, Name, Source, Tool, Version, accepted, cache, fetch, version};
use process::Launcher;

/// Where this variable is set, nothing is fetched.
const OFFLINE: &str = "CHARTPROOF_OFFLINE";

/// The tool in a version that the harness works with.
///
/// # Errors
/// Where it is neither there nor to be had, with what was tried.
pub async fn resolve(launcher: &Launcher, name: Name) -> Result<Tool, Missing> {
    let tried = match on_path(launcher, name).await {
        Ok(tool) => return Ok(tool),
        Err(reason) => vec![reason],
    };
    match pins::pinned(name) {
        Some(pin) => pinned(launcher, pin, tried).await,
        None => Err(Missing { name, tried }),
    }
}

/// The tool in exactly this version of the table, whatever is on PATH.
///
/// # Errors
/// As [`resolve`], and where the table has no such version.
pub async fn resolve_version(launcher: &Launcher, name: Name, version: Version) -> Result<Tool, Missing> {
    match pins::version(name, version) {
        Some(pin) => pinned(launcher, pin, vec![]).await,
        None => Err(Missing { name, tried: vec![format!("v{version} is not in the table of pinned tools")] }),
    }
}

/// The tool that a shell would find, if its version fits.
async fn on_path(launcher: &Launcher, name: Name) -> Result<Tool, String> {
    let path = launcher.find(name.as_str()).ok_or("not on PATH")?;
    let said = launcher.cmd(&path).args(name.version_args()).run().await.map_err(|error| error.to_string())?;
    let found = version::find(&said).ok_or_else(|| format!("{} does not say its version: {said:?}", path.display()))?;
    let range = accepted(name);
    if range.has(found) {
        return Ok(Tool { name, path, version: found, source: Source::Path });
    }
    Err(format!("{} is v{found}, which is not {}", path.display(), range.words))
}

/// The tool of the table, out of the cache or fetched into it.
async fn pinned(launcher: &Launcher, pin: &Pin, mut tried: Vec<String>) -> Result<Tool, Missing> {
    let Pin { name, version, .. } = *pin;
    let found = match cache::Slot::open(pin).await {
        Ok(slot) => match slot.cached().await {
            Some(path) => Ok((path, Source::Cache)),
            None if std::env::var_os(OFFLINE).is_some() => Err(vec![format!("not fetched, for {OFFLINE} is set")]),
            None => fetch::fetch(launcher, pin, &slot).await.map(|(path, from)| (path, Source::Fetched(from))),
        },
        Err(error) => Err(vec![format!("{error:#}")]),
    };
    match found {
        Ok((path, source)) => Ok(Tool { name, path, version, source }),
        Err(reasons) => {
            tried.extend(reasons);
            Err(Missing { name, tried })
        }
    }
}
