//! The image of the client in the cluster: `chartproof-client`, static, and nothing else.

use anyhow::Context;

use super::compile::compile;
use super::program::{pack, read};
use super::{Archive, Reference};
use crate::process::Launcher;
use crate::tools::sha256;

/// Builds the image and answers its archive. Its name holds the program's digest, so that no node takes an older one
/// for it; the same program is packed once.
///
/// # Errors
/// Where it does not compile or can't be packed.
pub async fn build(launcher: &Launcher) -> anyhow::Result<Archive> {
    let binary = compile(launcher, "client").await?;
    let digest = &sha256(&read(&binary.executable)?)[..16];
    let reference: Reference = format!("chartproof/client:{digest}")
        .parse()
        .map_err(|error| anyhow::anyhow!("the client's image: {error}"))?;
    let path = binary.folder.join(format!("client-{digest}.tar"));
    if path.is_file() {
        return Ok(Archive { path, references: vec![reference] });
    }
    pack(launcher, &binary.executable, &path, &reference).await.context("packing the client's image")
}
