//! What a pod's containers share: host name, `/etc/hosts`, `/etc/resolv.conf`.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{HostAlias, Pod, PodSpec};
use runtime::SandboxSpec;

/// The cluster's domain.
const DOMAIN: &str = "cluster.local";
/// The longest host name that Linux accepts.
const HOSTNAME_BYTES_MAX: usize = 63;
/// The maximum number of name servers and search domains in resolvers.
const NAME_SERVERS_MAX: usize = 3;

/// Returns the sandbox of a pod.
pub(super) fn spec(pod: &Pod, name_server: Ipv4Addr) -> SandboxSpec {
    let none = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&none);
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let short = hostname(pod, spec);
    let full = spec.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty());
    let full = full.map(|subdomain| format!("{short}.{subdomain}.{namespace}.svc.{DOMAIN}"));
    let hosts = hosts(spec, &short, full.as_deref());
    let hostname = full.filter(|_| spec.set_hostname_as_fqdn == Some(true)).unwrap_or(short);
    SandboxSpec {
        pod_uid: pod.metadata.uid.clone().unwrap_or_default(),
        hostname,
        resolv_conf: resolv_conf(spec, namespace, name_server),
        hosts,
    }
}

fn hostname(pod: &Pod, spec: &PodSpec) -> String {
    let chosen = spec.hostname.as_deref().filter(|name| !name.is_empty());
    let name = chosen.or(pod.metadata.name.as_deref()).unwrap_or_default();
    name.chars().take(HOSTNAME_BYTES_MAX).collect::<String>().trim_end_matches(['-', '.']).to_owned()
}

/// `/etc/hosts` before the pod's own line.
const HOSTS: &str = "# Kubernetes-managed hosts file.\n\
    127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    fe00::\tip6-mcastprefix\n\
    fe00::1\tip6-allnodes\n\
    fe00::2\tip6-allrouters\n";

/// Returns `/etc/hosts`; `{ip}` stands for the pod's address.
fn hosts(spec: &PodSpec, short: &str, full: Option<&str>) -> String {
    let names = full.map_or_else(|| short.to_owned(), |full| format!("{full}\t{short}"));
    let own = format!("{{ip}}\t{names}\n");
    let aliases = spec.host_aliases.as_deref().unwrap_or_default();
    let line = |alias: &HostAlias| {
        let names = alias.hostnames.as_deref().unwrap_or_default();
        format!("{}\t{}\n", alias.ip, names.join("\t"))
    };
    let head = if aliases.is_empty() { "" } else { "\n# Entries added by HostAliases.\n" };
    let aliases: String = aliases.iter().map(line).collect();
    [HOSTS, &own, head, &aliases].concat()
}

/// Returns `/etc/resolv.conf`, according to `dnsPolicy` and `dnsConfig`.
fn resolv_conf(spec: &PodSpec, namespace: &str, name_server: Ipv4Addr) -> String {
    let config = spec.dns_config.clone().unwrap_or_default();
    let policy = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let (mut servers, mut searches, mut options) = (Vec::new(), Vec::new(), Vec::new());
    if policy != "None" {
        servers.push(name_server.to_string());
    }
    if policy.starts_with("ClusterFirst") {
        searches.extend([format!("{namespace}.svc.{DOMAIN}"), format!("svc.{DOMAIN}"), DOMAIN.to_owned()]);
        options.push("ndots:5".to_owned());
    }
    servers.extend(config.nameservers.unwrap_or_default());
    searches.extend(config.searches.unwrap_or_default());
    for option in config.options.unwrap_or_default() {
        let name = option.name.unwrap_or_default();
        options.retain(|other: &String| other.split(':').next() != Some(name.as_str()));
        options.push(option.value.map_or_else(|| name.clone(), |value| format!("{name}:{value}")));
    }
    let mut lines = Vec::new();
    if !searches.is_empty() {
        lines.push(format!("search {}\n", searches.join(" ")));
    }
    lines.extend(servers.iter().take(NAME_SERVERS_MAX).map(|server| format!("nameserver {server}\n")));
    if !options.is_empty() {
        lines.push(format!("options {}\n", options.join(" ")));
    }
    lines.concat()
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` returns values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: serde_json::Value) -> SandboxSpec {
        let mut pod = json!({"metadata": {"name": "s-0", "namespace": "n", "uid": "1"}, "spec": spec});
        pod["spec"]["containers"] = json!([]);
        super::spec(&serde_json::from_value(pod).unwrap(), Ipv4Addr::new(10, 96, 0, 10))
    }

    #[test]
    fn a_pod_resolves_the_cluster_and_itself() {
        let spec = of(json!({"hostname": "s-0", "subdomain": "h"}));
        assert_eq!(spec.hostname, "s-0");
        let search = "search n.svc.cluster.local svc.cluster.local cluster.local";
        assert_eq!(spec.resolv_conf, format!("{search}\nnameserver 10.96.0.10\noptions ndots:5\n"));
        assert!(spec.hosts.ends_with("{ip}\ts-0.h.n.svc.cluster.local\ts-0\n"), "{}", spec.hosts);
    }

    #[test]
    fn a_pod_may_define_its_own_names() {
        let dns = json!({"nameservers": ["1.1.1.1"], "options": [{"name": "ndots", "value": "2"}]});
        let spec = of(json!({"dnsPolicy": "None", "dnsConfig": dns,
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}]}));
        assert_eq!(spec.resolv_conf, "nameserver 1.1.1.1\noptions ndots:2\n");
        assert!(spec.hosts.ends_with("# Entries added by HostAliases.\n10.0.0.1\ta\tb\n"), "{}", spec.hosts);
    }
}
