//! Checks that the rendered objects contain the images under test, so that wrong paths in a suite's `[image]` are
//! noticed.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::Value;

use super::Run;
use console::exit::usage;
use images::{self, ImageValues, Reference};
use suite::{ImageUnderTest, Release, Suite, Variant, Workload};
use tools::helm;

/// What is reported if an image under test is rendered nowhere.
const UNUSED: &str = "no container uses it";

/// A release that is rendered without an image under test.
struct Wrong<'a> {
    variant: &'a Variant,
    release: &'a Release,
    wanted: Wanted<'a>,
    /// What it has instead.
    seen: String,
    /// Every image of the release.
    images: Vec<String>,
}

/// An image under test.
#[derive(Clone)]
struct Wanted<'a> {
    image: &'a ImageUnderTest,
    reference: Reference,
}

impl Run {
    /// Checks that every release that should run an image under test does, in every topology of the run.
    ///
    /// # Errors
    /// A usage error with the line of `[image]`, what is rendered instead, and values that may have been meant.
    pub async fn check_rendered_image(&self) -> anyhow::Result<()> {
        let about: Vec<_> = self.subject.about().collect();
        let rendered = join_all(about.iter().map(|variant| self.render(variant))).await;
        let mut wrong = Vec::new();
        for (variant, rendered) in about.iter().zip(rendered) {
            // If helm can't render the chart, the case `chart::template` reports it.
            let Ok(rendered) = rendered else { continue };
            let wanted = self.wanted(&variant.suite);
            let releases = variant.suite.releases.iter().zip(rendered.iter());
            wrong.extend(releases.filter(|(release, _)| !release.own_image).filter_map(|(release, objects)| {
                let (wanted, seen) = if variant.is_under_test(release) {
                    instead_of(&wanted, &variant.suite, objects)?
                } else {
                    (wanted.first()?, none_used(&wanted, objects)?)
                };
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

    /// Returns the images under test that are not the chart's own.
    fn wanted<'a>(&self, suite: &'a Suite) -> Vec<Wanted<'a>> {
        let wanted = |image| Some(Wanted { image, reference: self.subject.image_reference(image)? });
        suite.images.iter().filter_map(wanted).collect()
    }

    async fn refusal(&self, wrong: &Wrong<'_>, others: usize) -> anyhow::Error {
        let Wrong { variant, release, wanted, seen, images } = wrong;
        let chart = self.charts.folder(&release.source);
        let values = helm::defaults(&self.launcher, &self.helm, &chart).await.unwrap_or_default();
        let (topology, key, place) = (&variant.topology.name, release.key(), &wanted.image.place);
        let wanted = &wanted.reference;
        let values = images::in_values(&values);
        let found = values.iter().map(shown).collect::<Vec<_>>().join(", ");
        let mut lines = vec![
            format!(
                "{place}: the rendered objects don't contain the image under test, {wanted}: topology {topology}, \
                 release {key}: {seen}; {}",
                fix(wrong, &values)
            ),
            format!("images rendered: {}", images.join(", ")),
            format!("values that look like images: {}", if found.is_empty() { "none" } else { &found }),
        ];
        lines.extend((others > 0).then(|| format!("the same applies to {others} more releases and topologies")));
        usage(lines.join("\n  "))
    }
}

/// Returns an image that the release under test lacks, and what it has instead: a workload's container has another, or no
/// container has it.
fn instead_of<'a, 'w>(wanted: &'w [Wanted<'a>], suite: &Suite, objects: &[Value]) -> Option<(&'w Wanted<'a>, String)> {
    let mut rendered = BTreeSet::new();
    for workload in &suite.workloads {
        let runs = suite.image_of(workload).map(|image| &image.name);
        let Some(wanted) = wanted.iter().find(|wanted| Some(&wanted.image.name) == runs) else { continue };
        let (kind, name) = workload.object();
        let object = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        if let Some(object) = object {
            rendered.insert(&wanted.image.name);
            if let Some(seen) = instead_in(&wanted.reference, workload, object) {
                return Some((wanted, seen));
            }
        }
    }
    // If an operator creates the pods, no image is rendered, and `ready` checks the pods. One of several images may be
    // that of another release.
    let by_operator = images::in_manifests(objects).is_empty() && !suite.workloads.is_empty();
    let elsewhere = by_operator || (suite.images.len() > 1 && suite.releases.len() > 1);
    let other = wanted.iter().filter(|wanted| !elsewhere && !rendered.contains(&wanted.image.name));
    let is_unused = |wanted: &&Wanted<'_>| !uses(objects, std::slice::from_ref(*wanted));
    other.into_iter().find(is_unused).map(|wanted| (wanted, UNUSED.to_owned()))
}

/// Returns what to report about another release if no container in it has an image under test. One without containers
/// needs none.
fn none_used(wanted: &[Wanted<'_>], objects: &[Value]) -> Option<String> {
    let has_none = images::in_manifests(objects).is_empty();
    (!has_none && !uses(objects, wanted)).then(|| UNUSED.to_owned())
}

fn uses(objects: &[Value], wanted: &[Wanted<'_>]) -> bool {
    let images = images::in_manifests(objects);
    images.iter().any(|image| wanted.iter().any(|wanted| is_it(image, &wanted.reference)))
}

fn is_it(image: &str, wanted: &Reference) -> bool {
    image.parse::<Reference>().is_ok_and(|image| image.canonical() == wanted.canonical())
}

/// Returns what a workload's container has instead of the image under test, or `None` if it has that image.
fn instead_in(wanted: &Reference, workload: &Workload, object: &Value) -> Option<String> {
    let (kind, name) = workload.object();
    let containers = images::of_containers(object);
    match containers.iter().find(|(container, _)| *container == workload.container) {
        Some((_, image)) if is_it(image, wanted) => None,
        Some((container, image)) => Some(format!("container {container} of {kind}/{name} has {image}")),
        None => {
            let names = containers.iter().map(|(container, _)| *container).collect::<Vec<_>>().join(", ");
            Some(format!("{kind}/{name} has no container {}: its containers are {names}", workload.container))
        }
    }
}

/// Returns what to write instead: the values whose default was rendered, if there are any.
fn fix(wrong: &Wrong<'_>, values: &[ImageValues]) -> String {
    let Wrong { variant, release, images, wanted, .. } = wrong;
    let has = |image: &&ImageValues| images.iter().any(|rendered| rendered.contains(&image.default));
    let meant = values.iter().filter(|image| !is_set_by(wanted.image, image)).find(has);
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
        let reference: Reference = "a/b:dev".parse().unwrap();
        let wanted: Vec<_> = suite.images.iter().map(|image| Wanted { image, reference: reference.clone() }).collect();
        if under_test { instead_of(&wanted, suite, objects).map(|(_, seen)| seen) } else { none_used(&wanted, objects) }
    }

    #[test]
    fn each_workload_has_its_own_image() {
        let text = SUITE.replace("[image]", "[[image]]\nname = \"web\"").replace(
            "[workload]",
            "[[image]]\nname = \"worker\"\nrepository = \"worker.image\"\n[[workload]]\nstateful_set = \"worker\"\ncontainer = \"app\"\nimage = \"worker\"\n[[workload]]",
        );
        let suite = suite(&text);
        let reference = |text: &str| -> Reference { text.parse().unwrap() };
        let references = [reference("a/web:dev"), reference("a/worker:dev")];
        let wanted: Vec<_> =
            suite.images.iter().zip(references).map(|(image, reference)| Wanted { image, reference }).collect();
        let rendered = |web: &str, worker: &str| {
            let mut set = deployment("app", worker);
            (set["kind"], set["metadata"]["name"]) = (json!("StatefulSet"), json!("worker"));
            let objects = [deployment("app", web), set];
            instead_of(&wanted, &suite, &objects).map(|(wanted, seen)| format!("{}: {seen}", wanted.reference))
        };
        assert_eq!(rendered("a/web:dev", "a/worker:dev"), None);
        let swapped = "a/worker:dev: container app of StatefulSet/worker has a/web:dev";
        assert_eq!(rendered("a/web:dev", "a/web:dev").unwrap(), swapped);
        let text = text.replace("image = \"worker\"", "own_image = true");
        let suite = self::suite(&text);
        let unused = instead_of(&wanted, &suite, &[deployment("app", "a/web:dev")]).unwrap();
        assert_eq!((unused.0.image.name.as_deref(), unused.1.as_str()), (Some("worker"), UNUSED));
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
            suite(&text).images[0].values(&"registry.example/a/b:dev".parse().unwrap())
        };
        assert_eq!(values("tag = \"image.tag\""), ["image.repository=registry.example/a/b", "image.tag=dev"]);
        assert_eq!(values(""), ["image.repository=registry.example/a/b:dev"]);
        let three = values("tag = \"t\"\nregistry = \"image.registry\"");
        assert_eq!(three, ["image.registry=registry.example", "image.repository=a/b", "t=dev"]);
    }
}
