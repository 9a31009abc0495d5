//! References as pods write them; errors use the text of containerd, which kubelet passes on.

use oci::{Invalid, Reference};

use crate::spec::RuntimeError;

/// Parses a reference as written in a pod's spec.
pub fn parse(text: &str) -> Result<Reference, RuntimeError> {
    text.parse().map_err(|invalid| RuntimeError::InvalidReference { reference: text.into(), why: words(&invalid) })
}

fn words(invalid: &Invalid) -> String {
    const INVALID: &str = "invalid reference format";
    match invalid {
        Invalid::UpperCase { repository } => format!("{INVALID}: repository name ({repository}) must be lowercase"),
        _ => INVALID.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_reference_is_rejected_with_containerds_message() {
        for wrong in
            ["", "a b", "app:", "app:.x", "/app", "app//x", "app@sha256:12", "-app", "app..x", "a___b", "x/app-"]
        {
            let error = parse(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("failed to parse image reference {wrong:?}: invalid reference format"));
        }
        let error = parse("Busybox").unwrap_err().to_string();
        assert!(error.ends_with("repository name (library/Busybox) must be lowercase"), "{error}");
    }
}
