//! Custom resources: the kinds that stored `CustomResourceDefinition`s add to the built-in ones.

pub(crate) mod definition;
mod formats;
pub(crate) mod json_path;
mod printer;
mod prune;
pub(crate) mod structural;
mod validate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

pub(crate) use printer::PrinterColumn;
use structural::Structural;

use super::Registry;
use super::decode::{self, Decoded};
use super::schema;
use super::value::{items, text};
use crate::kinds::{self, CustomKind, Kind};
use crate::status::Status;
use crate::store;
use json_path::JsonPath;

/// The maximum number of definitions.
const DEFINITIONS_MAX: usize = 1000;
/// The maximum size of a definition, as etcd has it.
const DEFINITION_BYTES_MAX: usize = 1536 * 1024;

/// One version of a custom resource.
#[derive(Debug)]
pub(crate) struct CustomVersion {
    /// Its kind, as in `kinds::KINDS`.
    pub kind: &'static Kind,
    /// The version in which objects are stored.
    pub storage: &'static Kind,
    /// Whether requests in this version are answered.
    pub is_served: bool,
    /// Whether its definition is being deleted: no more objects are created.
    pub is_terminating: bool,
    /// The warning that a deprecated version's requests get.
    pub warning: Option<String>,
    /// The columns that kubectl shows after the name.
    pub columns: Vec<PrinterColumn>,
    /// The paths of `spec.replicas`, `status.replicas` and, if it is set, of the selector in `scale`.
    pub scale: Option<ScalePaths>,
    /// The fields that lists can be restricted to.
    pub selectable: Vec<String>,
    definition: Arc<Value>,
    index: usize,
    schema: OnceLock<Structural>,
}

/// The paths in an object from which its `scale` is built.
#[derive(Debug)]
pub(crate) struct ScalePaths {
    /// `specReplicasPath`.
    pub spec: JsonPath,
    /// `statusReplicasPath`.
    pub status: JsonPath,
    /// `labelSelectorPath`.
    pub selector: Option<JsonPath>,
}

impl CustomVersion {
    /// Returns its schema as it is written in its definition.
    pub fn schema_document(&self) -> &Value {
        &self.definition["spec"]["versions"][self.index]["schema"]["openAPIV3Schema"]
    }

    /// Returns its schema.
    pub fn schema(&self) -> &Structural {
        self.schema.get_or_init(|| Structural::read(self.schema_document()))
    }

    /// Decodes an object: checks its metadata, and drops what the schema does not declare.
    ///
    /// # Errors
    /// The first value of a wrong type in the metadata, in the decoder's words.
    pub fn decode(&self, document: Value) -> Result<Decoded, String> {
        let (mut document, metadata) = decode::metadata(self.kind, document)?;
        let mut unknown = metadata.unknown;
        unknown
            .extend(prune::prune(self.schema(), &mut document).iter().map(|path| format!("unknown field \"{path}\"")));
        if !metadata.object.is_null() {
            document["metadata"] = metadata.object;
        }
        Ok(Decoded { object: document, unknown })
    }

    /// Fills in the defaults.
    pub fn default(&self, object: &mut Value) {
        let metadata = object["metadata"].take();
        prune::default(self.schema(), object);
        object["metadata"] = metadata;
    }

    /// Returns what is wrong with an object.
    pub fn causes(&self, object: &Value) -> Vec<super::cause::Cause> {
        validate::check(self.schema(), object)
    }

    /// Returns an object of the resource as this version shows it, whichever version it was stored in.
    pub fn convert(&self, object: &Value) -> Value {
        let mut converted = object.clone();
        converted["apiVersion"] = self.kind.api_version().into();
        prune::prune(self.schema(), &mut converted);
        self.default(&mut converted);
        converted
    }
}

/// The versions of every established definition.
#[derive(Debug, Default)]
pub(crate) struct CustomKinds {
    definitions: BTreeMap<String, (Arc<Value>, Vec<Arc<CustomVersion>>)>,
}

impl CustomKinds {
    /// Returns a version of a resource.
    fn version(&self, kind: &Kind) -> Option<&Arc<CustomVersion>> {
        let (_, versions) = self.definitions.get(&kind.qualified_plural())?;
        versions.iter().find(|version| version.kind.version == kind.version)
    }

    /// Returns every served version.
    pub fn served(&self) -> impl Iterator<Item = &Arc<CustomVersion>> {
        self.definitions.values().flat_map(|(_, versions)| versions).filter(|version| version.is_served)
    }

    /// Returns the kind in which each resource is stored.
    pub fn stored(&self) -> impl Iterator<Item = &'static Kind> {
        self.definitions.values().filter_map(|(_, versions)| versions.first()).map(|version| version.storage)
    }
}

/// The table of custom kinds, made from the stored definitions when one of them has changed.
#[derive(Default)]
pub(crate) struct CustomKindsCache(Mutex<(u64, Arc<CustomKinds>)>);

impl Registry {
    /// Returns the custom kinds.
    pub(crate) fn custom(&self) -> Arc<CustomKinds> {
        let Some(kind) = kinds::find(definition::GROUP, "v1", "customresourcedefinitions") else {
            return Arc::default();
        };
        let mut cache = self.custom.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.store.last_written(kind);
        if cache.0 != written {
            let (stored, _) = self.store.list(kind, None);
            let definitions = stored.into_iter().filter(|definition| definition::is_established(definition));
            let known = |definition: &Arc<Value>| {
                let name = store::key(definition).1;
                let same = cache.1.definitions.get(&name).filter(|(known, _)| Arc::ptr_eq(known, definition));
                (name, same.cloned().unwrap_or_else(|| (Arc::clone(definition), versions(definition))))
            };
            let definitions = definitions.map(|definition| known(&definition)).collect();
            *cache = (written, Arc::new(CustomKinds { definitions }));
        }
        Arc::clone(&cache.1)
    }

    /// Returns the version of a custom kind; `None` for a built-in kind, or if its definition is gone.
    pub(crate) fn custom_version(&self, kind: &Kind) -> Option<Arc<CustomVersion>> {
        kind.custom.as_ref()?;
        self.custom().version(kind).cloned()
    }

    /// Returns every stored kind: the built-in ones, and each custom resource in the version in which it is stored.
    pub(crate) fn kinds(&self) -> Vec<&'static Kind> {
        kinds::stored_kinds().chain(self.custom().stored()).collect()
    }

    /// Returns the kind of `group/version`, `plural` as in a URL.
    pub(crate) fn find_kind(&self, group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        let custom = || {
            let custom = self.custom();
            let mut served = custom.served().map(|version| version.kind);
            served.find(|kind| (kind.group, kind.version, kind.plural) == (group, version, plural))
        };
        kinds::find(group, version, plural).or_else(custom)
    }

    /// Decodes a document as its kind's type.
    ///
    /// # Errors
    /// The first value of a wrong type, in the decoder's words.
    pub(crate) fn decode(&self, kind: &Kind, document: Value) -> Result<Decoded, String> {
        if let Some(version) = self.custom_version(kind) {
            return version.decode(document);
        }
        let message = schema::of_kind(kind).ok_or("no kind is registered")?;
        decode::decode(message, document)
    }

    /// Returns the kind in which an object is stored, and the object in that version.
    pub(super) fn to_storage(&self, kind: &'static Kind, object: Value) -> (&'static Kind, Value) {
        match self.custom_version(kind).filter(|version| version.storage != kind) {
            Some(version) => match self.custom_version(version.storage) {
                Some(storage) => (storage.kind, storage.convert(&object)),
                None => (kind, object),
            },
            None => (kind, object),
        }
    }

    /// Returns a stored object in the version of a request.
    pub(crate) fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let stored = self.store.get(kind.stored(), namespace, name)?;
        Some(self.custom_version(kind).map_or(stored.clone(), |version| Arc::new(version.convert(&stored))))
    }

    /// Returns what is wrong with a changed custom resource, except what was wrong before and did not change.
    pub(super) fn custom_changed(&self, kind: &Kind, stored: &Value, object: &Value) -> Vec<super::cause::Cause> {
        let Some(version) = self.custom_version(kind) else { return Vec::new() };
        let mut causes = version.causes(object);
        if !causes.is_empty() {
            let before = version.causes(stored);
            causes.retain(|cause| !before.contains(cause));
        }
        causes
    }

    /// Rejects a definition if there are too many, or if it is too large.
    pub(super) fn check_definitions(&self, kind: &'static Kind, definition: &Value) -> Result<(), Status> {
        let name = store::key(definition).1;
        if self.store.list(kind, None).0.len() >= DEFINITIONS_MAX {
            let why = format!("the embedded cluster stores at most {DEFINITIONS_MAX} definitions");
            return Err(Status::forbidden(kind, &name, &why));
        }
        if definition.to_string().len() > DEFINITION_BYTES_MAX {
            return Err(Status::new(413, "RequestEntityTooLarge", "etcdserver: request is too large"));
        }
        Ok(())
    }

    /// Rejects a new object whose definition is being deleted.
    pub(super) fn refuse_terminating(&self, kind: &Kind) -> Result<(), Status> {
        if self.custom_version(kind).is_none_or(|version| !version.is_terminating) {
            return Ok(());
        }
        let message = "create not allowed while custom resource definition is terminating";
        let details = json!({"group": kind.group, "kind": kind.plural});
        Err(Status { details, ..Status::new(405, "MethodNotAllowed", message) })
    }
}

/// Returns the versions of a definition.
fn versions(definition: &Arc<Value>) -> Vec<Arc<CustomVersion>> {
    let listed: Vec<&Value> = items(&definition["spec"], "versions").collect();
    let of = |version: &Value| kinds::custom(&names(definition, version));
    let Some(storage) = listed.iter().find(|version| version["storage"] == true).and_then(|version| of(version)) else {
        return Vec::new();
    };
    let known = listed.iter().enumerate().filter_map(|(index, version)| Some((index, *version, of(version)?)));
    known
        .map(|(index, version, kind)| {
            Arc::new(CustomVersion {
                kind,
                storage,
                is_served: version["served"] == true,
                is_terminating: definition::has_condition(definition, "Terminating"),
                warning: definition::deprecation(definition, version),
                columns: PrinterColumn::of(version),
                scale: scale_paths(&version["subresources"]["scale"]),
                selectable: items(version, "selectableFields")
                    .map(|field| text(field, "jsonPath").trim_start_matches('.').to_owned())
                    .collect(),
                definition: Arc::clone(definition),
                index,
                schema: OnceLock::new(),
            })
        })
        .collect()
}

fn names(definition: &Value, version: &Value) -> CustomKind {
    let accepted = &definition["status"]["acceptedNames"];
    let list = |field: &str| items(accepted, field).filter_map(Value::as_str).map(str::to_owned).collect();
    let name = |field: &str| text(accepted, field).to_owned();
    CustomKind {
        group: text(&definition["spec"], "group").to_owned(),
        version: text(version, "name").to_owned(),
        kind: name("kind"),
        list_kind: name("listKind"),
        plural: name("plural"),
        singular: name("singular"),
        short_names: list("shortNames"),
        categories: list("categories"),
        is_namespaced: definition["spec"]["scope"] == "Namespaced",
        has_status: version["subresources"].get("status").is_some(),
        has_scale: version["subresources"].get("scale").is_some(),
    }
}

fn scale_paths(scale: &Value) -> Option<ScalePaths> {
    let path = |field: &str| JsonPath::parse(scale[field].as_str()?);
    let selector = path("labelSelectorPath");
    Some(ScalePaths { spec: path("specReplicasPath")?, status: path("statusReplicasPath")?, selector })
}
