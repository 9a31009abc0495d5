//! The security settings of a container: the pod's security context, overridden by the container's.

use k8s_openapi::api::core::v1::{Container, ContainerUser, LinuxContainerUser, Pod};
use runtime::{Image, Security};

use super::record::WaitingReason;

/// Returns the settings for the runtime.
pub(super) fn security(pod: &Pod, container: &Container) -> Security {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    let own = container.security_context.as_ref();
    let user = own.and_then(|c| c.run_as_user).or_else(|| of_pod.and_then(|p| p.run_as_user));
    let group = own.and_then(|c| c.run_as_group).or_else(|| of_pod.and_then(|p| p.run_as_group));
    let supplemental = of_pod.into_iter().flat_map(|p| p.supplemental_groups.iter().flatten().copied());
    let groups = supplemental.chain(of_pod.and_then(|p| p.fs_group));
    let capabilities = own.and_then(|c| c.capabilities.as_ref());
    let profile = own.and_then(|c| c.seccomp_profile.as_ref());
    let profile = profile.or_else(|| of_pod.and_then(|p| p.seccomp_profile.as_ref()));
    Security {
        run_as_user: user.and_then(id),
        run_as_group: group.and_then(id),
        supplemental_groups: groups.filter_map(id).collect(),
        read_only_root: own.and_then(|c| c.read_only_root_filesystem).unwrap_or(false),
        no_new_privileges: own.and_then(|c| c.allow_privilege_escalation) == Some(false),
        drop_capabilities: capabilities.and_then(|c| c.drop.clone()).unwrap_or_default(),
        add_capabilities: capabilities.and_then(|c| c.add.clone()).unwrap_or_default(),
        seccomp_unconfined: profile.is_some_and(|profile| profile.type_ == "Unconfined"),
    }
}

fn id(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}

/// Rejects a container that runs as root, or as a user that can't be determined, if `runAsNonRoot` forbids it.
pub(super) fn verify_non_root(
    pod: &Pod,
    container: &Container,
    security: &Security,
    image: &Image,
) -> Result<(), WaitingReason> {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref()).and_then(|p| p.run_as_non_root);
    let own = container.security_context.as_ref().and_then(|c| c.run_as_non_root);
    if own.or(of_pod) != Some(true) {
        return Ok(());
    }
    let problem = match (security.run_as_user, image_user(image)) {
        (Some(0), _) => "container's runAsUser breaks non-root policy".to_owned(),
        (None, Ok(0)) => "container has runAsNonRoot and image will run as root".to_owned(),
        (None, Err(name)) => format!(
            "container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
        ),
        _ => return Ok(()),
    };
    let message = format!("{problem} (pod: \"{}\", container: {})", full_name(pod), container.name);
    Err(WaitingReason::new("CreateContainerConfigError", message))
}

/// Returns `name_namespace(uid)`, as kubelet names a pod.
pub(super) fn full_name(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    format!("{}_{}({})", text(&metadata.name), text(&metadata.namespace), text(&metadata.uid))
}

/// Returns the user of an image, or its name if it is not a number.
fn image_user(image: &Image) -> Result<u32, String> {
    let user = image.user.split(':').next().unwrap_or_default();
    if user.is_empty() { Ok(0) } else { user.parse().map_err(|_| user.to_owned()) }
}

/// Returns the `user` of a container's status, if it can be determined without the image's own user list.
pub(super) fn user(security: &Security, image: &Image) -> Option<ContainerUser> {
    let uid = security.run_as_user.or_else(|| image_user(image).ok())?;
    let image_group = image.user.split_once(':').map_or(Some(0), |(_, group)| group.parse().ok());
    let gid = security.run_as_group.or(image_group)?;
    let groups = std::iter::once(gid).chain(security.supplemental_groups.iter().copied()).map(i64::from);
    let mut groups: Vec<i64> = groups.collect();
    groups.dedup();
    let linux = LinuxContainerUser { uid: uid.into(), gid: gid.into(), supplemental_groups: Some(groups) };
    Some(ContainerUser { linux: Some(linux) })
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` returns values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(pod: serde_json::Value, own: serde_json::Value, image_user: &str) -> Option<String> {
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "uid": "1"},
            "spec": {"containers": [], "securityContext": pod}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let container: Container = serde_json::from_value(json!({"name": "main", "securityContext": own})).unwrap();
        let image = Image { user: image_user.to_owned(), ..Image::default() };
        let merged = security(&pod, &container);
        verify_non_root(&pod, &container, &merged, &image).err().map(|refusal| refusal.message)
    }

    #[test]
    fn root_is_rejected_with_kubelets_message() {
        let who = "(pod: \"p_n(1)\", container: main)";
        let non_root = json!({"runAsNonRoot": true});
        assert_eq!(
            refused(json!({}), non_root.clone(), ""),
            Some(format!("container has runAsNonRoot and image will run as root {who}"))
        );
        assert_eq!(
            refused(json!({"runAsUser": 0}), non_root.clone(), "1000"),
            Some(format!("container's runAsUser breaks non-root policy {who}"))
        );
        let named = "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root";
        assert_eq!(refused(non_root.clone(), json!({}), "app:app"), Some(format!("{named} {who}")));
        assert_eq!(refused(non_root.clone(), json!({}), "10001:10001"), None);
        assert_eq!(refused(non_root.clone(), json!({"runAsUser": 10001}), ""), None);
        assert_eq!(refused(non_root, json!({"runAsNonRoot": false}), ""), None);
    }

    #[test]
    fn the_container_overrides_the_pod() {
        let pod = json!({"spec": {"containers": [], "securityContext":
            {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]}}});
        let own = json!({"runAsUser": 5, "capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": false});
        let container: Container = serde_json::from_value(json!({"name": "main", "securityContext": own})).unwrap();
        let merged = security(&serde_json::from_value(pod).unwrap(), &container);
        assert_eq!((merged.run_as_user, merged.run_as_group), (Some(5), Some(2)));
        assert_eq!(merged.supplemental_groups, [4, 3]);
        assert!(merged.no_new_privileges);
        assert_eq!(merged.drop_capabilities, ["ALL"]);
    }

    /// As in a kubelet with `seccompDefault`.
    #[test]
    fn calls_are_forbidden_unless_the_profile_is_unconfined() {
        let unconfined = |of_pod: serde_json::Value, own: serde_json::Value| {
            let pod = json!({"spec": {"containers": [], "securityContext": of_pod}});
            let container = json!({"name": "main", "securityContext": own});
            let container: Container = serde_json::from_value(container).unwrap();
            security(&serde_json::from_value(pod).unwrap(), &container).seccomp_unconfined
        };
        let profile = |sort: &str| json!({"seccompProfile": {"type": sort}});
        assert!(!unconfined(json!({}), json!({})));
        assert!(!unconfined(profile("RuntimeDefault"), json!({})));
        assert!(unconfined(profile("Unconfined"), json!({})));
        assert!(!unconfined(profile("Unconfined"), profile("RuntimeDefault")));
        assert!(unconfined(json!({}), profile("Unconfined")));
    }
}
