//! Finds a tool: on PATH, otherwise in the cache; otherwise it is fetched.

use super::pins::{self, Pin};
use super::{Missing, Name, Source, Tool, Version, accepted, cache, fetch, version};
use process::Launcher;

/// If this variable is set, nothing is fetched.
const OFFLINE: &str = "CHARTPROOF_OFFLINE";

/// Returns the tool in a supported version.
///
/// # Errors
/// If it can be neither found nor fetched, with everything that was tried.
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

/// Returns the tool in exactly this version, whatever is on PATH.
///
/// # Errors
/// As [`resolve`], or if the version is not pinned.
pub async fn resolve_version(launcher: &Launcher, name: Name, version: Version) -> Result<Tool, Missing> {
    match pins::version(name, version) {
        Some(pin) => pinned(launcher, pin, vec![]).await,
        None => Err(Missing { name, tried: vec![format!("v{version} is not one of the pinned versions")] }),
    }
}

/// Returns the pinned version of a tool with another major version than `tool`.
///
/// # Errors
/// As [`resolve`], or if none is pinned.
pub async fn resolve_other_major(launcher: &Launcher, tool: &Tool) -> Result<Tool, Missing> {
    match pins::other_major(tool.name, tool.version.major) {
        Some(pin) => pinned(launcher, pin, vec![]).await,
        None => Err(Missing { name: tool.name, tried: vec!["no other major version is pinned".to_owned()] }),
    }
}

/// Returns the tool on PATH if its version is supported.
async fn on_path(launcher: &Launcher, name: Name) -> Result<Tool, String> {
    let path = launcher.find(name.as_str()).ok_or("not on PATH")?;
    let output = launcher.cmd(&path).args(name.version_args()).run().await.map_err(|error| error.to_string())?;
    let found =
        version::find(&output).ok_or_else(|| format!("{} does not report its version: {output:?}", path.display()))?;
    let range = accepted(name);
    if range.has(found) {
        return Ok(Tool { name, path, version: found, source: Source::Path });
    }
    Err(format!("{} is v{found}, but {} is required", path.display(), range.words))
}

/// Returns the pinned tool from the cache, after fetching it if necessary.
async fn pinned(launcher: &Launcher, pin: &Pin, mut tried: Vec<String>) -> Result<Tool, Missing> {
    let Pin { name, version, .. } = *pin;
    let found = match cache::Slot::open(pin).await {
        Ok(slot) => match slot.cached().await {
            Some(path) => Ok((path, Source::Cache)),
            None if std::env::var_os(OFFLINE).is_some() => Err(vec![format!("not fetched, because {OFFLINE} is set")]),
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
