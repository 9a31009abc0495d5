//! Checks that the rendered objects contain the image under test, so that wrong paths in a suite's `[image]` are
//! noticed.

use futures::future::join_all;
use serde_json::Value;

use super::Run;
use console::exit::usage;
use images::{self, ImageValues, Reference};
use suite::{ImageUnderTest, Release, Suite, Variant};
use tools::helm;

/// A release that is rendered without the image under test.
struct Wrong<'a> {
    variant: &'a Variant,
    release: &'a Release,
    wanted: Reference,
    /// What it has instead.
    seen: String,
    /// Every image of the release.
    images: Vec<String>,
}

impl Run {
    /// Checks that every release that should run the image under test does, in every topology of the run.
    ///
    /// # Errors
    /// A usage error with the line of `[image]`, what is rendered instead, and values that may have been meant.
    pub async fn check_rendered_image(&self) -> anyhow::Result<()> {
        let about: Vec<_> = self.subject.about().collect();
        let rendered = join_all(about.iter().map(|variant| self.render(variant))).await;
        let mut wrong = Vec::new();
        for (variant, rendered) in about.iter().zip(rendered) {
            // If helm can't render the chart, the case `chart::template` reports it.
            let (Some(wanted), Ok(rendered)) = (self.subject.image_reference(&variant.suite), rendered) else {
                continue;
            };
            let releases = variant.suite.releases.iter().zip(rendered.iter());
            wrong.extend(releases.filter(|(release, _)| !release.own_image).filter_map(|(release, objects)| {
                let workload = variant.is_under_test(release);
                let seen = instead_of(&wanted, &variant.suite, workload, objects)?;
                let images = images::in_manifests(objects).into_iter().collect();
                Some(Wrong { variant, release, wanted: wanted.clone(), seen, images })
            }));
        }
        // The release under test is the most helpful example.
        wrong.sort_by_key(|wrong| !wrong.variant.is_under_test(wrong.release));
        match wrong.first() {
            None => Ok(()),
            Some(first) => Err(self.refusal(first, wrong.len() - 1).await),
        }
    }

    async fn refusal(&self, wrong: &Wrong<'_>, others: usize) -> anyhow::Error {
        let Wrong { variant, release, wanted, seen, images } = wrong;
        let suite = &variant.suite;
        let chart = self.charts.folder(&release.source);
        let values = helm::defaults(&self.launcher, &self.helm, &chart).await.unwrap_or_default();
        let (topology, key) = (&variant.topology.name, release.key());
        let place = suite.image.as_ref().map(|image| image.place.as_str()).unwrap_or_default();
        let values = images::in_values(&values);
        let found = values.iter().map(shown).collect::<Vec<_>>().join(", ");
        let mut lines = vec![
            format!(
                "{place}: the rendered objects don't contain the image under test, {wanted}: topology {topology}, \
                 release {key}: {seen}; {}",
                fix(suite, wrong, &values)
            ),
            format!("images rendered: {}", images.join(", ")),
            format!("values that look like images: {}", if found.is_empty() { "none" } else { &found }),
        ];
        lines.extend((others > 0).then(|| format!("the same applies to {others} more releases and topologies")));
        usage(lines.join("\n  "))
    }
}

/// Returns what a release has instead of the image under test, or `None` if it has that image.
fn instead_of(wanted: &Reference, suite: &Suite, under_test: bool, objects: &[Value]) -> Option<String> {
    let is_it = |image: &str| image.parse::<Reference>().is_ok_and(|image| image.canonical() == wanted.canonical());
    let workload = suite.workload.as_ref().filter(|_| under_test);
    let found = workload.and_then(|workload| {
        let (kind, name) = workload.object();
        objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    });
    let Some((workload, object)) = workload.zip(found) else {
        let images = images::in_manifests(objects);
        // If an operator creates the pods, no image is rendered, and `ready` checks the pods. A release without
        // containers needs no image, unless it is the one under test.
        let elsewhere = images.is_empty() && (workload.is_some() || !under_test);
        return (!elsewhere && !images.iter().any(|image| is_it(image))).then(|| "no container uses it".to_owned());
    };
    let (kind, name) = workload.object();
    let containers = images::of_containers(object);
    match containers.iter().find(|(container, _)| *container == workload.container) {
        Some((_, image)) if is_it(image) => None,
        Some((container, image)) => Some(format!("container {container} of {kind}/{name} has {image}")),
        None => {
            let names = containers.iter().map(|(container, _)| *container).collect::<Vec<_>>().join(", ");
            Some(format!("{kind}/{name} has no container {}: its containers are {names}", workload.container))
        }
    }
}

/// Returns what to write instead: the values whose default was rendered, if there are any.
fn fix(suite: &Suite, wrong: &Wrong<'_>, values: &[ImageValues]) -> String {
    let Wrong { variant, release, images, .. } = wrong;
    let has = |image: &&ImageValues| images.iter().any(|rendered| rendered.contains(&image.default));
    let meant = values.iter().filter(|image| !suite.image.as_ref().is_some_and(|set| is_set_by(set, image))).find(has);
    let paths = meant.map_or_else(|| "the paths of the chart's values for the image".to_owned(), written);
    if variant.is_under_test(release) {
        format!("write {paths} into [image]")
    } else {
        format!("write {paths} into [image], or `own_image = true` into its [[release]] if it has an image of its own")
    }
}

/// Whether the suite sets exactly these values.
fn is_set_by(image: &ImageUnderTest, values: &ImageValues) -> bool {
    image.repository == values.repository && image.tag == values.tag && image.registry == values.registry
}

fn written(values: &ImageValues) -> String {
    let parts = [
        ("repository", Some(&values.repository)),
        ("tag", values.tag.as_ref()),
        ("registry", values.registry.as_ref()),
    ];
    let parts = parts.iter().filter_map(|(key, path)| Some(format!("`{key} = {:?}`", path.as_ref()?)));
    parts.collect::<Vec<_>>().join(", ")
}

fn shown(values: &ImageValues) -> String {
    format!("{} ({})", values.repository, values.default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SUITE: &str = r#"
        name = "web"
        chart = "."
        [image]
        repository = "image.repository"
        tag = "image.tag"
        [workload]
        deployment = "web"
        container = "app"
        service = "web"
        [[topology]]
        name = "r1"
        replicas = 1
        cases = ["install"]
    "#;

    fn suite(text: &str) -> Suite {
        toml::from_str(text).unwrap()
    }

    fn deployment(container: &str, image: &str) -> Value {
        let containers = json!([{ "name": "proxy", "image": "proxy:1" }, { "name": container, "image": image }]);
        let template = json!({ "spec": { "containers": containers } });
        json!({ "kind": "Deployment", "metadata": { "name": "web" }, "spec": { "template": template } })
    }

    fn seen(suite: &Suite, under_test: bool, objects: &[Value]) -> Option<String> {
        instead_of(&"a/b:dev".parse().unwrap(), suite, under_test, objects)
    }

    #[test]
    fn the_container_under_test_has_the_image_under_test() {
        let suite = suite(SUITE);
        assert_eq!(
            seen(&suite, true, &[deployment("app", "docker.io/a/b:dev")]),
            None,
            "the same image, written differently"
        );
        for other in ["a/b:v1", "quay.io/a/b:dev", "a/b:dev@sha256:00", ""] {
            let reported = seen(&suite, true, &[deployment("app", other)]);
            assert_eq!(reported, Some(format!("container app of Deployment/web has {other}")));
        }
        let reported = seen(&suite, true, &[deployment("main", "a/b:dev")]).unwrap();
        assert_eq!(reported, "Deployment/web has no container app: its containers are proxy, main");
        assert_eq!(seen(&suite, true, &[json!({ "kind": "Cluster" })]), None, "an operator makes its pods");
    }

    #[test]
    fn without_a_workload_any_container_may_have_the_image() {
        let suite = suite(&SUITE.replace("[workload]", "[members]").replace("deployment = \"web\"", "").replace(
            "container = \"app\"\n        service = \"web\"",
            "request = { path = \"/\" }\n items = \"\"\n name = \"/n\"",
        ));
        assert_eq!(seen(&suite, true, &[deployment("any", "a/b:dev")]), None);
        assert!(seen(&suite, true, &[deployment("any", "a/b:v1")]).is_some());
        assert!(seen(&suite, true, &[]).is_some(), "there is no container to test");
        assert_eq!(seen(&suite, false, &[]), None, "a release without containers");
        assert!(seen(&suite, false, &[deployment("any", "a/b:v1")]).is_some());
    }

    #[test]
    fn every_common_way_to_set_an_image_is_supported() {
        let values = |keys: &str| {
            let text = SUITE.replace("tag = \"image.tag\"", keys);
            suite(&text).image.unwrap().values(&"registry.example/a/b:dev".parse().unwrap())
        };
        assert_eq!(values("tag = \"image.tag\""), ["image.repository=registry.example/a/b", "image.tag=dev"]);
        assert_eq!(values(""), ["image.repository=registry.example/a/b:dev"]);
        let three = values("tag = \"t\"\nregistry = \"image.registry\"");
        assert_eq!(three, ["image.registry=registry.example", "image.repository=a/b", "t=dev"]);
    }
}
