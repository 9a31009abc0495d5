//! Finds the values that set an image and a number of replicas: it renders the chart with a marker in their place, and
//! looks where the marker comes out.

use std::collections::BTreeSet;

use serde_json::Value;

use super::label;
use super::pods::{self, Workload, container};
use super::render::{Renderer, said};
use images::{ImageValues, Reference, in_manifests, in_values};
use suite::ImageUnderTest;

/// The registry and the repository of the marker.
const MARKER: &str = "chartproof.example/marker/image";
/// A tag that no chart has by default. Some charts compare it with versions.
const MARKER_TAG: &str = "99.9.9";
/// A number of replicas that no chart has by default.
const MARKER_REPLICAS: u64 = 5;
/// How many times the chart is rendered in search of one value.
const RENDERED_MAX: usize = 60;
/// Names of values for a tag beside an image.
const TAGS: [&str; 4] = ["tag", "imageTag", "image_tag", "version"];
/// Names of values for a digest beside an image.
const DIGESTS: [&str; 3] = ["digest", "sha", "sha256"];
/// Parts of the names of values for a number of replicas.
const REPLICAS: [&str; 3] = ["replica", "count", "size"];

/// What was found of the values for an image.
enum ImageFound {
    /// They set it.
    Values(ImageUnderTest),
    /// None were found; the chart refused the likeliest ones with this error, if it refused them.
    No { refused: Option<anyhow::Error> },
}

/// Returns the values that set the image of a workload's container, or of any container if there is no workload. A chart
/// may refuse other images and name the value that allows them; then that is set from now on.
async fn image(renderer: &mut Renderer, values: &Value, objects: &[Value], of: Option<&Workload>) -> ImageFound {
    let found = search(renderer, values, objects, of).await;
    let ImageFound::No { refused: Some(refused) } = &found else { return found };
    renderer.set = named_switches(&said(refused), values);
    if !renderer.set.is_empty()
        && let again @ ImageFound::Values(_) = search(renderer, values, objects, of).await
    {
        return again;
    }
    renderer.set.clear();
    found
}

/// Returns the switches that are off and that a refusal names: `security.allowOtherImages=true`.
fn named_switches(refusal: &str, values: &Value) -> Vec<String> {
    let words = refusal.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.' && letter != '_');
    let paths = words.map(|word| word.trim_matches('.')).filter(|word| word.contains('.'));
    let off: BTreeSet<_> = paths.filter(|path| at(values, path) == Some(&Value::Bool(false))).collect();
    off.into_iter().map(|path| format!("{path}=true")).collect()
}

/// Returns the values that set the images of these workloads' containers, or of any container if there is no workload,
/// and notes in each workload which of them it runs. The error is that of a chart that refuses other images for the first.
pub async fn images(
    renderer: &mut Renderer,
    values: &Value,
    objects: &[Value],
    workloads: &mut [Workload],
) -> (Vec<ImageUnderTest>, Option<anyhow::Error>) {
    if workloads.is_empty() {
        return match image(renderer, values, objects, None).await {
            ImageFound::Values(image) => (vec![image], None),
            ImageFound::No { refused } => (Vec::new(), refused),
        };
    }
    let (mut found, mut first_refusal) = (Vec::<ImageUnderTest>::new(), None);
    for (index, workload) in workloads.iter_mut().enumerate() {
        workload.image = position(renderer, &found, objects, workload).await;
        if workload.image.is_some() {
            continue;
        }
        match image(renderer, values, objects, Some(workload)).await {
            ImageFound::Values(image) => {
                workload.image = Some(found.len());
                found.push(ImageUnderTest { name: Some(name(&found, workload)), ..image });
            }
            ImageFound::No { refused } if index == 0 => first_refusal = refused,
            ImageFound::No { .. } => {}
        }
    }
    (found, first_refusal)
}

/// Returns which of these values set the image of a workload's container.
async fn position(
    renderer: &Renderer,
    found: &[ImageUnderTest],
    objects: &[Value],
    workload: &Workload,
) -> Option<usize> {
    let rendered = images_of(objects, Some(workload));
    for (index, shape) in found.iter().enumerate() {
        if sets(renderer, shape, &rendered, Some(workload)).await.is_ok_and(|sets| sets) {
            return Some(index);
        }
    }
    None
}

/// Returns a name for a workload's image that no other has.
fn name(found: &[ImageUnderTest], workload: &Workload) -> String {
    let name = label(&workload.name);
    let is_taken = found.iter().any(|image| image.name.as_ref() == Some(&name));
    if is_taken { format!("image-{}", found.len()) } else { name }
}

async fn search(renderer: &Renderer, values: &Value, objects: &[Value], of: Option<&Workload>) -> ImageFound {
    let rendered = images_of(objects, of);
    let mut candidates = in_values(values);
    candidates.retain(|candidate| likelihood(candidate, &rendered) > 0);
    candidates.sort_by_key(|candidate| std::cmp::Reverse(likelihood(candidate, &rendered)));
    tables("", values, &mut candidates);
    let shapes = candidates.iter().flat_map(|candidate| shapes(candidate, values));
    let mut first = None;
    for shape in shapes.take(RENDERED_MAX) {
        match sets(renderer, &shape, &rendered, of).await {
            Ok(true) => return ImageFound::Values(shape),
            Ok(false) => {}
            Err(error) => first = first.or(Some(error)),
        }
    }
    ImageFound::No { refused: first }
}

/// Returns whether these values set the image: to all of the marker, with registry, repository and tag. The error is
/// that of a chart that refuses every marker.
async fn sets(
    renderer: &Renderer,
    shape: &ImageUnderTest,
    before: &[String],
    of: Option<&Workload>,
) -> anyhow::Result<bool> {
    let own_tag = before.first().and_then(|image| image.parse::<Reference>().ok()?.tag);
    let mut refused = None;
    // A chart may refuse a version that it does not know.
    for tag in [Some(MARKER_TAG.to_owned()), own_tag].into_iter().flatten() {
        let marker: Reference = format!("{MARKER}:{tag}").parse()?;
        match renderer.objects(&shape.values(&marker)).await {
            Ok(objects) => return Ok(images_of(&objects, of).iter().any(|image| *image == marker.to_string())),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(false), Err)
}

/// Adds the tables that have the name of an image, but not the usual values: a chart may have defaults for them that its
/// values don't show.
fn tables(path: &str, value: &Value, found: &mut Vec<ImageValues>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let step = name.replace('.', "\\.");
        let here = if path.is_empty() { step } else { format!("{path}.{step}") };
        let is_named = value.is_object() && name.to_ascii_lowercase().ends_with("image");
        if is_named && !value["repository"].is_string() {
            let there = |name: &str| value.get(name).map(|_| format!("{here}.{name}"));
            found.push(ImageValues {
                repository: format!("{here}.repository"),
                tag: Some(format!("{here}.tag")),
                registry: there("registry"),
                default: String::new(),
            });
        }
        tables(&here, value, found);
    }
}

/// Returns the image of a workload's container, or all images if there is no workload.
fn images_of(objects: &[Value], of: Option<&Workload>) -> Vec<String> {
    let Some(workload) = of else { return in_manifests(objects).into_iter().collect() };
    let found =
        pods::of_kind(objects, &workload.kind).find(|object| object["metadata"]["name"] == workload.name.as_str());
    let found = found.and_then(pods::spec).and_then(|spec| container(spec, &workload.container));
    found.and_then(|container| container["image"].as_str()).map(str::to_owned).into_iter().collect()
}

/// The likeliest is the one whose default is all of a rendered image, then one whose default is a part of it.
fn likelihood(candidate: &ImageValues, rendered: &[String]) -> u32 {
    let name = candidate.default.as_str();
    let is_name = |image: &String| {
        image.split([':', '@']).next().is_some_and(|image| image == name || image.ends_with(&format!("/{name}")))
    };
    match name {
        "" => 1,
        _ if rendered.iter().any(is_name) => 3,
        _ if rendered.iter().any(|image| image.contains(name)) => 2,
        _ => 0,
    }
}

/// Returns the ways in which a chart may use these values, the likeliest first.
fn shapes(candidate: &ImageValues, values: &Value) -> Vec<ImageUnderTest> {
    let path = &candidate.repository;
    let is_set = |path: &String| at(values, path).and_then(Value::as_str).is_some_and(|digest| !digest.is_empty());
    let digest = DIGESTS.iter().map(|name| beside(path, name)).find(is_set);
    let there = |name: &str| Some(beside(path, name)).filter(|path| at(values, path).is_some());
    let tag = candidate.tag.clone().or_else(|| TAGS.iter().find_map(|name| there(name)));
    let registry = candidate.registry.clone().or_else(|| there("registry"));
    let whole = ImageUnderTest { repository: path.clone(), digest, ..ImageUnderTest::default() };
    let tagged = ImageUnderTest { tag: tag.clone(), ..whole.clone() };
    let mut shapes = Vec::new();
    if tag.is_some() {
        shapes.extend(registry.map(|registry| ImageUnderTest { registry: Some(registry), ..tagged.clone() }));
        shapes.push(tagged);
    }
    shapes.push(whole);
    shapes
}

/// Returns the path of another value in the same table.
fn beside(path: &str, name: &str) -> String {
    path.rsplit_once('.').map_or_else(|| name.to_owned(), |(table, _)| format!("{table}.{name}"))
}

/// Returns a value by its path in the syntax of `--set`.
fn at<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    path.replace("\\.", "\0").split('.').try_fold(values, |value, step| value.get(step.replace('\0', ".")))
}

/// The values that set a number of replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicasFound {
    /// The path of the number.
    pub value: String,
    /// What has to be switched on first, as `key=value`.
    pub with: Vec<String>,
}

impl ReplicasFound {
    /// Returns what sets this number, as for helm's `--set`.
    pub fn set(&self, number: u64) -> Vec<String> {
        self.with.iter().cloned().chain([format!("{}={number}", self.value)]).collect()
    }
}

/// Returns the values that set the number of replicas of a workload.
pub async fn replicas(renderer: &Renderer, values: &Value, workload: &Workload) -> Option<ReplicasFound> {
    let mut candidates = Vec::new();
    numbers("", values, &mut candidates);
    candidates.sort_by_key(|(path, number)| {
        let named = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().contains(REPLICAS[0]);
        std::cmp::Reverse((named, *number == Some(workload.replicas), std::cmp::Reverse(path.matches('.').count())))
    });
    for (value, _) in candidates.into_iter().take(RENDERED_MAX) {
        let found = ReplicasFound { with: switches(&value, values), value };
        let Ok(objects) = renderer.with_values(&found.set(MARKER_REPLICAS)).await else { continue };
        if replicas_of(&objects, workload) == Some(MARKER_REPLICAS) {
            return Some(found);
        }
    }
    None
}

/// Returns the switches of the tables around a value that are off by default: `cluster.enabled=true`.
fn switches(path: &str, values: &Value) -> Vec<String> {
    let ends = path.match_indices('.').map(|(end, _)| &path[..end]);
    let switches = ends.map(|table| format!("{table}.enabled"));
    switches.filter(|path| at(values, path) == Some(&Value::Bool(false))).map(|path| format!("{path}=true")).collect()
}

/// Returns the number of replicas that a chart renders for a workload.
pub fn replicas_of(objects: &[Value], workload: &Workload) -> Option<u64> {
    let mut all = pods::of_kind(objects, &workload.kind);
    all.find(|object| object["metadata"]["name"] == workload.name.as_str())?["spec"]["replicas"].as_u64()
}

/// Adds the paths of the numbers whose names may mean replicas. A default may be nothing.
fn numbers(path: &str, value: &Value, found: &mut Vec<(String, Option<u64>)>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let step = name.replace('.', "\\.");
        let here = if path.is_empty() { step } else { format!("{path}.{step}") };
        let is_named = REPLICAS.iter().any(|part| name.to_ascii_lowercase().contains(part));
        if is_named && (value.is_u64() || value.is_null()) {
            found.push((here, value.as_u64()));
        } else {
            numbers(&here, value, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_values_that_the_chart_renders_by_default_are_tried_first() {
        let of = |default: &str| ImageValues {
            repository: "r".to_owned(),
            tag: None,
            registry: None,
            default: default.to_owned(),
        };
        let rendered = ["docker.io/library/nats:2.11".to_owned()];
        let order =
            ["library/nats", "nats", "docker.io", "", "busybox"].map(|default| likelihood(&of(default), &rendered));
        assert_eq!(order, [3, 3, 2, 1, 0]);
    }

    #[test]
    fn every_shape_of_an_image_is_tried() {
        let values =
            json!({ "image": { "registry": "docker.io", "repository": "a/b", "tag": "1", "digest": "sha256:00" } });
        let found = in_values(&values);
        let shapes: Vec<_> =
            shapes(&found[0], &values).into_iter().map(|shape| (shape.registry, shape.tag, shape.digest)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            shapes,
            [
                (text("image.registry"), text("image.tag"), text("image.digest")),
                (None, text("image.tag"), text("image.digest")),
                (None, None, text("image.digest")),
            ]
        );
    }

    #[test]
    fn switches_around_a_value_are_switched_on() {
        let values = json!({ "config": { "enabled": true, "cluster": { "enabled": false, "replicas": 3 } } });
        assert_eq!(switches("config.cluster.replicas", &values), ["config.cluster.enabled=true"]);
        assert_eq!(switches("replicas", &values), [""; 0]);
    }

    #[test]
    fn a_refusal_may_name_the_switch_that_allows_other_images() {
        let values = json!({ "global": { "security": { "allowInsecureImages": false } }, "image": { "debug": false } });
        let refusal = "skip verification by setting 'global.security.allowInsecureImages' to true. Set image.tag, too.";
        assert_eq!(named_switches(refusal, &values), ["global.security.allowInsecureImages=true"]);
        assert_eq!(named_switches("image.repository is unknown", &values), [""; 0]);
    }

    #[test]
    fn a_table_with_the_name_of_an_image_is_tried_without_the_usual_values() {
        let mut found = Vec::new();
        tables(
            "",
            &json!({ "webhook": { "image": { "name": "a", "registry": null } }, "image": { "repository": "b" } }),
            &mut found,
        );
        let paths: Vec<_> = found.iter().map(|one| (one.repository.as_str(), one.registry.as_deref())).collect();
        assert_eq!(paths, [("webhook.image.repository", Some("webhook.image.registry"))]);
    }

    #[test]
    fn numbers_of_replicas_are_found_everywhere() {
        let values = json!({ "replicaCount": 1, "config": { "cluster": { "replicas": 3 } }, "port": 80,
            "pool": { "size": null }, "a.b": { "count": 2 }, "sizeLimit": "1Gi" });
        let mut found = Vec::new();
        numbers("", &values, &mut found);
        found.sort();
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a\\.b.count", "config.cluster.replicas", "pool.size", "replicaCount"]);
    }
}
