//! Tests of image references: full and short forms, precedence of digests, malformed references.

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn parse(text: &str) -> Result<Reference, Invalid> {
    text.parse()
}

#[test]
fn each_reference_has_a_full_and_a_short_form() {
    for (written, canonical, short) in [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36.1", "docker.io/library/busybox:1.36.1", "busybox:1.36.1"),
        ("library/busybox:1.36.1", "docker.io/library/busybox:1.36.1", "busybox:1.36.1"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("docker.io/library/busybox:1", "docker.io/library/busybox:1", "busybox:1"),
        ("index.docker.io/curlimages/curl:8.12.1", "docker.io/curlimages/curl:8.12.1", "curlimages/curl:8.12.1"),
        ("caesiumcloud/caesium:dev", "docker.io/caesiumcloud/caesium:dev", "caesiumcloud/caesium:dev"),
        ("localhost/a:1", "localhost/a:1", "localhost/a:1"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
        (
            "registry.example.com/team/app",
            "registry.example.com/team/app:latest",
            "registry.example.com/team/app:latest",
        ),
        ("Registry.Example/app:1", "Registry.Example/app:1", "Registry.Example/app:1"),
        ("a__b/c--d.e:T", "docker.io/a__b/c--d.e:T", "a__b/c--d.e:T"),
        ("test.com:5000", "docker.io/library/test.com:5000", "test.com:5000"),
    ] {
        let reference = parse(written).unwrap();
        assert_eq!(reference.canonical(), canonical, "{written}");
        assert_eq!(reference.lookup_name(), canonical, "{written}: without a digest, the tag counts");
        assert_eq!(reference.to_string(), short, "{written}");
        assert_eq!(parse(short).unwrap(), reference, "{short}: the short form names the same image");
    }
}

#[test]
fn a_digest_takes_precedence_over_a_tag_when_a_node_looks_it_up() {
    let both = parse(&format!("kindest/node:v1@{DIGEST}")).unwrap();
    assert_eq!(both.canonical(), format!("docker.io/kindest/node:v1@{DIGEST}"));
    assert_eq!(both.lookup_name(), format!("docker.io/kindest/node@{DIGEST}"));
    let alone = parse(&format!("busybox@{DIGEST}")).unwrap();
    assert_eq!(alone.tag, None, "a reference with a digest has no default tag");
    assert_eq!(alone.canonical(), format!("docker.io/library/busybox@{DIGEST}"));
    assert_eq!(parse(&format!("localhost:5000/a:1@{DIGEST}")).unwrap().full_repository(), "localhost:5000/a");
}

#[test]
fn malformed_references_are_reported_with_the_cause() {
    for (written, why) in [
        ("Caesium", "lower-case"),
        ("Foo/bar", "lower-case"),
        ("ghcr.io/Owner/app:1", "lower-case"),
        ("", "empty"),
        ("a//b", "empty"),
        ("/app", "empty"),
        ("localhost:5000/", "empty"),
        ("a:", "not a tag"),
        ("a:b c", "not a tag"),
        ("app:.x", "not a tag"),
        ("a@sha256:12", "not a digest"),
        ("a@", "not a digest"),
        ("a_:1", "not a valid image name"),
        ("-app", "not a valid image name"),
        ("a b", "not a valid image name"),
        ("app..x", "not a valid image name"),
        ("a___b", "not a valid image name"),
        ("x/app-", "not a valid image name"),
        ("host.example:/a", "not a registry"),
        ("host.example:http/a", "not a registry"),
        ("-host.example/a", "not a registry"),
    ] {
        let error = parse(written).unwrap_err().to_string();
        assert!(error.contains(why), "{written}: {error}");
    }
    let upper = format!("a@{}", DIGEST.to_uppercase().replace("SHA", "sha"));
    assert!(matches!(parse(&upper), Err(Invalid::Digest(_))), "digests are written in lower case");
    assert!(matches!(parse(&format!("a:{}", "t".repeat(129))), Err(Invalid::Tag(_))));
    assert!(matches!(parse(&"a".repeat(260)), Err(Invalid::TooLong(_))));
}
