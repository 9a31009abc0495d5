//! The types behind the served kinds, which decoding, strategic merge patches, server-side apply and the protobuf
//! reader use. `schema.txt` is the table.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::kinds::Kind;

static TABLE: &str = include_str!("schema.txt");

static MESSAGES: LazyLock<BTreeMap<&'static str, Message>> = LazyLock::new(|| parse(TABLE));

/// A type with fields.
#[derive(Debug)]
pub struct Message {
    /// `PodSpec`; if two API groups have a type of this name, `discovery.EndpointPort`; if two versions of a group
    /// have it, `autoscaling.v1.HorizontalPodAutoscaler`.
    pub name: &'static str,
    /// Whether server-side apply treats it as a unit.
    pub atomic: bool,
    /// Its fields by their JSON names.
    pub fields: BTreeMap<&'static str, Field>,
}

/// A field of a type.
#[derive(Debug)]
pub struct Field {
    /// Its JSON name.
    pub name: &'static str,
    /// Its protobuf field number, and the number inside a message that JSON inlines.
    pub number: (u32, Option<u32>),
    /// Its type.
    pub schema: Schema,
    /// How strategic merge patches merge it, if it is a list.
    pub patch: PatchStrategy,
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub enum Schema {
    /// A scalar, or a document that is not interpreted.
    Scalar(Scalar),
    /// A type of the table.
    Message(&'static str),
    /// A map from strings to values of one type, and whether server-side apply treats it as a unit.
    Map(&'static Schema, bool),
    /// A list.
    List(&'static Schema, MergeStrategy),
}

/// The types that are not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Go's names for JSON's scalars, and Kubernetes' own")]
pub enum Scalar {
    String,
    Bool,
    Int32,
    Int64,
    Float64,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    Any,
}

/// How server-side apply merges a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeStrategy {
    /// As a unit.
    Atomic,
    /// By value.
    Set,
    /// By the values of these fields, in the order of their names.
    Map(&'static [&'static str]),
}

/// How a strategic merge patch merges a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchStrategy {
    /// The patch's list replaces the old one.
    Replace,
    /// Scalars are added.
    Scalars,
    /// Elements are merged by this field.
    Key(&'static str),
}

/// Returns a type by its name.
pub fn message(name: &str) -> Option<&'static Message> {
    MESSAGES.get(name)
}

/// Returns the type of a served kind. It has the kind's name, after that of its group and version if several have it.
pub fn of_kind(kind: &Kind) -> Option<&'static Message> {
    of(kind.group, kind.version, kind.kind)
}

/// As [`of_kind`], for a kind that may not be served.
pub fn of(group: &str, version: &str, kind: &str) -> Option<&'static Message> {
    let group = group.split('.').next().unwrap_or_default();
    let qualified = [format!("{group}.{version}.{kind}"), format!("{group}.{kind}")];
    qualified.iter().find_map(|name| message(name)).or_else(|| message(kind))
}

impl Message {
    /// Returns a field by its JSON name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }
}

fn parse(table: &'static str) -> BTreeMap<&'static str, Message> {
    let mut messages = BTreeMap::new();
    let mut current: Option<Message> = None;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix(' ') {
            if let (Some(message), Some(field)) = (&mut current, field(line)) {
                message.fields.insert(field.name, field);
            }
            continue;
        }
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let next = Message { name, atomic: words.next() == Some("atomic"), fields: BTreeMap::new() };
        if let Some(done) = current.replace(next) {
            messages.insert(done.name, done);
        }
    }
    messages.extend(current.map(|last| (last.name, last)));
    messages
}

fn field(line: &'static str) -> Option<Field> {
    let mut words = line.split(' ');
    let (name, number, ty) = (words.next()?, words.next()?, words.next()?);
    let (mut merge, mut patch, mut atomic) = (MergeStrategy::Atomic, PatchStrategy::Replace, false);
    for word in words {
        match word.split_once('=') {
            Some(("map", keys)) => merge = MergeStrategy::Map(sorted(keys)),
            Some(("merge", key)) => patch = PatchStrategy::Key(key),
            None if word == "set" => merge = MergeStrategy::Set,
            None if word == "merge" => patch = PatchStrategy::Scalars,
            None if word == "atomic" => atomic = true,
            _ => {}
        }
    }
    let (outer, inner) = number.split_once('.').map_or((number, None), |(outer, inner)| (outer, Some(inner)));
    let number = (outer.parse().unwrap_or(0), inner.and_then(|inner| inner.parse().ok()));
    Some(Field { name, number, schema: schema(ty, merge, atomic), patch })
}

fn sorted(keys: &'static str) -> &'static [&'static str] {
    let mut keys: Vec<&str> = keys.split(',').collect();
    keys.sort_unstable();
    keys.leak()
}

fn schema(ty: &'static str, merge: MergeStrategy, atomic: bool) -> Schema {
    if let Some(element) = ty.strip_suffix("[]") {
        return match element.strip_suffix("{}") {
            // A map of lists, the table's own order of suffixes.
            Some(element) => Schema::Map(leak(schema(element, merge, atomic).listed()), false),
            None => Schema::List(leak(schema(element, merge, atomic)), merge),
        };
    }
    if let Some(element) = ty.strip_suffix("{}") {
        return Schema::Map(leak(schema(element, merge, atomic)), atomic);
    }
    scalar(ty).map_or(Schema::Message(ty), Schema::Scalar)
}

impl Schema {
    fn listed(self) -> Self {
        Self::List(leak(self), MergeStrategy::Atomic)
    }
}

fn leak(schema: Schema) -> &'static Schema {
    Box::leak(Box::new(schema))
}

fn scalar(ty: &str) -> Option<Scalar> {
    Some(match ty {
        "string" => Scalar::String,
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "float64" => Scalar::Float64,
        "bytes" => Scalar::Bytes,
        "Time" => Scalar::Time,
        "MicroTime" => Scalar::MicroTime,
        "Quantity" => Scalar::Quantity,
        "IntOrString" => Scalar::IntOrString,
        "RawExtension" | "FieldsV1" | "any" => Scalar::Any,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    fn holds(schema: Schema) -> Option<&'static str> {
        match schema {
            Schema::Message(name) => Some(name),
            Schema::Map(element, _) | Schema::List(element, _) => holds(*element),
            Schema::Scalar(_) => None,
        }
    }

    #[test]
    fn every_kind_and_every_named_type_is_in_the_table() {
        for kind in KINDS {
            assert!(of_kind(kind).is_some(), "{}", kind.kind);
        }
        for message in MESSAGES.values() {
            for field in message.fields.values() {
                let named = holds(field.schema);
                assert!(named.is_none_or(|name| MESSAGES.contains_key(name)), "{}.{}", message.name, field.name);
            }
        }
    }

    #[test]
    fn the_first_lines_name_the_compiled_crate_and_a_date() {
        let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../Cargo");
        let read = |extension: &str| std::fs::read_to_string(format!("{workspace}.{extension}")).unwrap();
        let (lock, manifest) = (read("lock"), read("toml"));
        let version = lock.split("name = \"k8s-openapi\"\nversion = \"").nth(1).unwrap().split('"').next().unwrap();
        let of_crate = manifest.lines().find(|line| line.starts_with("k8s-openapi =")).unwrap();
        let feature = of_crate.split('"').find(|word| word.starts_with("v1_")).unwrap();
        let lines: Vec<&str> = TABLE.lines().take(4).collect();
        assert!(
            lines[0].contains(&format!("k8s-openapi {version} ({feature})")),
            "derive the table again: {}",
            lines[0]
        );
        let date = lines[1].trim_start_matches("# Derived on ").trim_end_matches('.');
        assert!(date.parse::<chrono::NaiveDate>().is_ok(), "{}", lines[1]);
        assert!(lines[3].contains(&format!("Kubernetes {}", feature.replace('_', "."))), "{}", lines[3]);
    }

    /// Records the fields that a type requests from its deserializer, and then fails.
    struct Fields<'a>(&'a mut Vec<&'static str>);

    impl<'de> serde::Deserializer<'de> for Fields<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_struct<V: serde::de::Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            self.0.extend(fields);
            Err(serde::de::Error::custom("only the fields are requested"))
        }

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("no struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    fn compare<T: serde::de::DeserializeOwned>(name: &str) {
        let mut declared = Vec::new();
        let _ = T::deserialize(Fields(&mut declared));
        let is_kind = KINDS.iter().any(|kind| kind.kind == name);
        declared.retain(|field| !(is_kind && matches!(*field, "apiVersion" | "kind")));
        declared.sort_unstable();
        let ours: Vec<&str> = message(name).unwrap().fields.keys().copied().collect();
        assert_eq!(ours, declared, "{name}");
    }

    /// A new k8s-openapi with other fields needs a new table.
    #[test]
    fn the_table_has_the_same_fields_as_k8s_openapi() {
        macro_rules! compare {
            ($($path:path => $($name:ident)*;)*) => { $( { use $path as api; $( compare::<api::$name>(stringify!($name)); )* } )* };
        }
        compare! {
            k8s_openapi::api::core::v1 =>
                Pod PodSpec PodStatus Container ContainerPort ContainerStatus EnvVar EnvVarSource Probe Lifecycle Volume
                VolumeMount SecurityContext PodSecurityContext ResourceRequirements Toleration Affinity Service
                ServiceSpec ServicePort Endpoints ConfigMap Secret ServiceAccount Event Namespace NamespaceSpec Node
                NodeSpec NodeStatus PersistentVolume PersistentVolumeSpec PersistentVolumeClaim
                PersistentVolumeClaimSpec PersistentVolumeClaimStatus ResourceQuota LimitRange PodTemplateSpec
                EphemeralContainer ConfigMapVolumeSource SecretVolumeSource ProjectedVolumeSource ObjectReference;
            k8s_openapi::api::apps::v1 =>
                StatefulSet StatefulSetSpec StatefulSetStatus Deployment DeploymentSpec DeploymentStatus ReplicaSet
                ReplicaSetSpec ReplicaSetStatus ControllerRevision;
            k8s_openapi::api::batch::v1 => Job JobSpec JobStatus CronJob CronJobSpec JobTemplateSpec;
            k8s_openapi::api::policy::v1 => PodDisruptionBudget PodDisruptionBudgetSpec PodDisruptionBudgetStatus;
            k8s_openapi::api::networking::v1 => Ingress IngressSpec IngressRule NetworkPolicy NetworkPolicySpec;
            k8s_openapi::api::discovery::v1 => EndpointSlice;
            k8s_openapi::api::storage::v1 => StorageClass;
            k8s_openapi::api::rbac::v1 => Role RoleBinding ClusterRole ClusterRoleBinding;
            k8s_openapi::api::autoscaling::v2 => HorizontalPodAutoscaler HorizontalPodAutoscalerSpec;
            k8s_openapi::api::coordination::v1 => Lease LeaseSpec;
            k8s_openapi::apimachinery::pkg::apis::meta::v1 => ObjectMeta OwnerReference LabelSelector ManagedFieldsEntry;
        }
    }

    #[test]
    fn container_ports_merge_by_number_and_protocol_or_only_by_number() {
        let ports = message("Container").unwrap().field("ports").unwrap();
        assert!(matches!(ports.schema, Schema::List(_, MergeStrategy::Map(["containerPort", "protocol"]))));
        assert_eq!(ports.patch, PatchStrategy::Key("containerPort"));
    }
}
