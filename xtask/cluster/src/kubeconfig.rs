//! A copy of the one entry in the user's kubeconfig that a command may use.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kube::config::Kubeconfig;

/// Copies a context's entry into a file that only its owner can read, without a request to the cluster.
///
/// # Errors
/// If the user's kubeconfig can't be read or has no such context.
pub fn copy(context: &str, from: Option<&PathBuf>, to: &Path) -> anyhow::Result<()> {
    let whole = match from {
        Some(path) => Kubeconfig::read_from(path).with_context(|| path.display().to_string())?,
        None => Kubeconfig::read().context("reading the kubeconfig")?,
    };
    write_private(to, &only(whole, context)?)
}

/// Removes the copy of a kubeconfig, so that the user's credentials don't remain in the evidence.
pub(super) fn forget(kubeconfig: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(kubeconfig) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", kubeconfig.display()))
        }
        _ => Ok(()),
    }
}

/// Returns a kubeconfig with only one context, its cluster and its user.
fn only(mut whole: Kubeconfig, name: &str) -> anyhow::Result<Kubeconfig> {
    let names = whole.contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>().join(", ");
    whole.contexts.retain(|context| context.name == name);
    let entry = whole.contexts.first().and_then(|context| context.context.clone());
    let entry = entry.with_context(|| format!("the kubeconfig has no context {name}; it has: {names}"))?;
    whole.clusters.retain(|cluster| cluster.name == entry.cluster);
    whole.auth_infos.retain(|user| Some(&user.name) == entry.user.as_ref());
    whole.current_context = Some(name.to_owned());
    whole.preferences = None;
    whole.extensions = None;
    Ok(whole)
}

/// Writes a kubeconfig that only its owner can read. JSON is also YAML.
fn write_private(path: &Path, kubeconfig: &Kubeconfig) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&serde_json::to_vec_pretty(kubeconfig)?)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
