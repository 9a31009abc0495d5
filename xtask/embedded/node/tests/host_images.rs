//! Starter and runtime agree on the images that the host serves.

#[test]
fn the_runtime_serves_the_same_images_as_the_starter_assumes() {
    let repositories = ["docker.io/library/busybox", "docker.io/curlimages/curl", "docker.io/library/alpine"];
    for repository in repositories {
        let expected = embedded::cluster::host_serves(repository);
        assert_eq!(expected, runtime::host_serves(&format!("{repository}:1")), "{repository}");
    }
    assert!(embedded::cluster::host_serves("docker.io/library/busybox"), "every host has a shell");
}
