//! The files of volumes whose content comes from objects: config maps, secrets, the pod's own fields.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::{
    ConfigMap, DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Secret, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};

use super::VolumeSetup;
use super::files::File;
use crate::kubelet::downward;
use crate::registry::tokens::TokenSpec;

const MODE: i32 = 0o644;
/// The default lifetime that a token states, in seconds.
const EXPIRATION_S: i64 = 3600;

/// Keys and values of an object; `None` if it is optional and missing.
type ObjectData = Option<Vec<(String, Vec<u8>)>>;

/// How keys become files.
struct Layout<'a> {
    items: Option<&'a [KeyToPath]>,
    mode: i32,
    optional: bool,
    /// `config` or `secret`, as in the message about a missing key.
    sort: &'a str,
}

/// Returns the files of a volume.
pub(super) fn of(setup: &VolumeSetup, volume: &Volume) -> Result<Vec<File>, String> {
    if let Some(source) = &volume.config_map {
        let optional = source.optional == Some(true);
        let mode = source.default_mode.unwrap_or(MODE);
        lay_out(
            config_map(setup, &source.name, optional)?,
            &Layout { items: source.items.as_deref(), mode, optional, sort: "config" },
        )
    } else if let Some(source) = &volume.secret {
        let optional = source.optional == Some(true);
        let mode = source.default_mode.unwrap_or(MODE);
        let name = source.secret_name.as_deref().unwrap_or_default();
        lay_out(
            secret(setup, name, optional)?,
            &Layout { items: source.items.as_deref(), mode, optional, sort: "secret" },
        )
    } else if let Some(source) = &volume.downward_api {
        downward(setup, source.items.as_deref().unwrap_or_default(), source.default_mode.unwrap_or(MODE))
    } else if let Some(source) = &volume.projected {
        projected(setup, source)
    } else {
        Err("the volume has a source that the embedded cluster does not support".to_owned())
    }
}

fn projected(setup: &VolumeSetup, source: &ProjectedVolumeSource) -> Result<Vec<File>, String> {
    let mode = source.default_mode.unwrap_or(MODE);
    let mut files = Vec::new();
    for projection in source.sources.iter().flatten() {
        files.extend(projection_files(setup, projection, mode)?);
    }
    Ok(files)
}

fn projection_files(setup: &VolumeSetup, projection: &VolumeProjection, mode: i32) -> Result<Vec<File>, String> {
    if let Some(source) = &projection.config_map {
        let optional = source.optional == Some(true);
        lay_out(
            config_map(setup, &source.name, optional)?,
            &Layout { items: source.items.as_deref(), mode, optional, sort: "config" },
        )
    } else if let Some(source) = &projection.secret {
        let optional = source.optional == Some(true);
        lay_out(
            secret(setup, &source.name, optional)?,
            &Layout { items: source.items.as_deref(), mode, optional, sort: "secret" },
        )
    } else if let Some(source) = &projection.downward_api {
        downward(setup, source.items.as_deref().unwrap_or_default(), mode)
    } else if let Some(source) = &projection.service_account_token {
        let account = setup.pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
        let spec = token_spec(setup, source);
        let token = setup.client.token((setup.namespace(), account.unwrap_or("default")), spec);
        Ok(vec![file(&source.path, token.into_bytes(), mode)])
    } else {
        Err("the projected volume has a source that the embedded cluster does not support".to_owned())
    }
}

/// Returns the specification of a mounted token, which is bound to its pod.
fn token_spec(setup: &VolumeSetup, source: &ServiceAccountTokenProjection) -> TokenSpec {
    let metadata = &setup.pod.metadata;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    TokenSpec {
        audiences: source.audience.clone().filter(|audience| !audience.is_empty()).into_iter().collect(),
        expiration_s: source.expiration_seconds.unwrap_or(EXPIRATION_S),
        bound: Some(("pods", text(&metadata.name), text(&metadata.uid))),
        is_mounted: true,
    }
}

fn config_map(setup: &VolumeSetup, name: &str, optional: bool) -> Result<ObjectData, String> {
    match setup.client.get::<ConfigMap>(setup.namespace(), name) {
        Some(map) => {
            let texts = map.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
            Ok(Some(texts.chain(map.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0))).collect()))
        }
        None if optional => Ok(None),
        None => Err(format!("configmap \"{name}\" not found")),
    }
}

fn secret(setup: &VolumeSetup, name: &str, optional: bool) -> Result<ObjectData, String> {
    match setup.client.get::<Secret>(setup.namespace(), name) {
        Some(secret) => Ok(Some(secret.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0)).collect())),
        None if optional => Ok(None),
        None => Err(format!("secret \"{name}\" not found")),
    }
}

fn lay_out(data: ObjectData, layout: &Layout) -> Result<Vec<File>, String> {
    let data = data.unwrap_or_default();
    let Some(items) = layout.items.filter(|items| !items.is_empty()) else {
        return Ok(data.into_iter().map(|(key, bytes)| file(&key, bytes, layout.mode)).collect());
    };
    let mut files = Vec::new();
    for item in items {
        match data.iter().find(|(key, _)| *key == item.key) {
            Some((_, bytes)) => files.push(file(&item.path, bytes.clone(), item.mode.unwrap_or(layout.mode))),
            None if layout.optional => {}
            None => return Err(format!("references non-existent {} key: {}", layout.sort, item.key)),
        }
    }
    Ok(files)
}

fn downward(setup: &VolumeSetup, items: &[DownwardAPIVolumeFile], mode: i32) -> Result<Vec<File>, String> {
    let files = items.iter().map(|item| {
        let text = if let Some(field) = &item.field_ref {
            downward::field(&setup.pod, &field.field_path, setup.addresses)?
        } else if let Some(resource) = &item.resource_field_ref {
            let containers = setup.pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
            downward::resource(containers, None, resource, &setup.node)?
        } else {
            String::new()
        };
        Ok(file(&item.path, text.into_bytes(), item.mode.unwrap_or(mode)))
    });
    files.collect()
}

fn file(path: &str, bytes: Vec<u8>, mode: i32) -> File {
    File { path: PathBuf::from(path), bytes, mode: u32::try_from(mode).unwrap_or(0o644) & 0o777 }
}
