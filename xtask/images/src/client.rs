//! The image of the client that runs in the cluster: the program and its libraries, nothing else.

use anyhow::Context;

use super::program::Image;
use super::programs;
use super::{Archive, Reference};
use process::Launcher;

/// The client's name. An installed harness is also the client, if it is started under this name.
const CLIENT: &str = "chartproof-client";

/// Builds the image and returns its archive. Its tag is the digest of its content, so that no node uses an older image
/// instead. Unchanged content is packed only once.
///
/// # Errors
/// If it does not compile or can't be packed.
pub async fn build(launcher: &Launcher) -> anyhow::Result<Archive> {
    let client = match programs::beside_or_this(CLIENT)? {
        Some(installed) => installed,
        None => programs::program(launcher, CLIENT).await?,
    };
    let image = Image::of(launcher, &client.executable, CLIENT).await?;
    let digest = image.digest("client")?;
    let reference: Reference = format!("chartproof/client:{digest}")
        .parse()
        .map_err(|error| anyhow::anyhow!("the client's image: {error}"))?;
    let path = client.archives.join(format!("client-{digest}.tar"));
    if path.is_file() {
        return Ok(Archive { path, references: vec![reference] });
    }
    image.pack(&path, &[reference]).await.context("packing the client's image")
}
