//! Checks the images under test.

use super::{Key, Source, Suite};

/// Checks that each of several images has a name of its own, and that workloads name existing ones. Notes the line of
/// each, for messages.
pub fn check(source: &Source<'_>, suite: &mut Suite) -> anyhow::Result<()> {
    for index in 0..suite.images.len() {
        suite.images[index].place = source.place(&source.table("image", index));
    }
    let several = suite.images.len() > 1;
    for (index, image) in suite.images.iter().enumerate() {
        let here = source.table("image", index);
        if several && image.name.is_none() {
            return Err(source.error(&here, "there are several images: give each a `name`"));
        }
        if suite.images[..index].iter().any(|other| other.name == image.name) {
            let name = image.name.as_deref().unwrap_or_default();
            return Err(source.error(&here, format!("duplicate image `{name}`: give each its own name")));
        }
    }
    let known = || suite.images.iter().filter_map(|image| image.name.as_deref()).collect::<Vec<_>>().join(", ");
    for (index, workload) in suite.workloads.iter().enumerate() {
        let here = [&source.table("workload", index)[..], &[Key("image")]].concat();
        let Some(name) = &workload.image else { continue };
        if workload.own_image {
            return Err(source.error(&here, "with `own_image = true` it runs no image under test: remove `image`"));
        }
        if !suite.images.iter().any(|image| image.name.as_ref() == Some(name)) {
            return Err(source.error(&here, format!("unknown image `{name}`: expected one of {}", known())));
        }
    }
    Ok(())
}
