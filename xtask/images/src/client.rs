//! The image of the client that runs in the cluster: `chartproof-client` and its libraries, nothing else.

use anyhow::Context;

use super::compile::compile;
use super::program::Image;
use super::{Archive, Reference};
use process::Launcher;

/// Builds the image and returns its archive. Its tag is the digest of its content, so that no node uses an older image
/// instead. Unchanged content is packed only once.
///
/// # Errors
/// If it does not compile or can't be packed.
pub async fn build(launcher: &Launcher) -> anyhow::Result<Archive> {
    let binary = compile(launcher, "chartproof-client").await?;
    let image = Image::of(launcher, &binary.executable).await?;
    let digest = image.digest("client")?;
    let reference: Reference = format!("chartproof/client:{digest}")
        .parse()
        .map_err(|error| anyhow::anyhow!("the client's image: {error}"))?;
    let path = binary.folder.join(format!("client-{digest}.tar"));
    if path.is_file() {
        return Ok(Archive { path, references: vec![reference] });
    }
    image.pack(&path, &[reference]).await.context("packing the client's image")
}
