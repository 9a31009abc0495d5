//! Applications that are known by their images: how a record of theirs is written and read, as a first draft.

/// The names of images, and the tables of a suite file for them.
const KNOWN: [(&[&str], &str); 14] = [
    (&["redis"], include_str!("known/redis.toml")),
    (&["valkey"], include_str!("known/valkey.toml")),
    (&["postgres", "postgresql"], include_str!("known/postgres.toml")),
    (&["mysql"], include_str!("known/mysql.toml")),
    (&["mariadb"], include_str!("known/mariadb.toml")),
    (&["mongo", "mongodb"], include_str!("known/mongo.toml")),
    (&["rabbitmq"], include_str!("known/rabbitmq.toml")),
    (&["nats"], include_str!("known/nats.toml")),
    (&["etcd"], include_str!("known/etcd.toml")),
    (&["consul"], include_str!("known/consul.toml")),
    (&["zookeeper"], include_str!("known/zookeeper.toml")),
    (&["kafka"], include_str!("known/kafka.toml")),
    (&["minio"], include_str!("known/minio.toml")),
    (&["memcached"], include_str!("known/memcached.toml")),
];

/// Returns the tables for an image, such as `docker.io/library/redis:8`; none if it is not known.
pub fn records(image: &str) -> Option<&'static str> {
    let name = image.split('@').next()?.rsplit('/').next()?.split(':').next()?;
    KNOWN.iter().find(|(names, _)| names.contains(&name)).map(|(_, tables)| *tables)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use suite::load;

    #[test]
    fn every_draft_loads_once_it_is_switched_on() {
        let head = "name = \"a\"\nchart = \".\"\n[workload]\ndeployment = \"a\"\ncontainer = \"a\"\nservice = \"a\"\n";
        let topology = "[[topology]]\nname = \"r1\"\nreplicas = 1\ncases = [\"install\", \"ready\", \"pod_kill\"]\n";
        for (names, tables) in KNOWN {
            let http = if tables.contains("path = ") { "[http]\nport = 80\n" } else { "" };
            let written =
                if tables.contains("[records.read]") { "\"write_read\", \"pod_kill\"" } else { "\"pod_kill\"" };
            let text = format!("{head}{http}{tables}{}", topology.replace("\"pod_kill\"", written));
            let loaded = load::parse(Path::new("e2e.toml"), &text, &crate::cases::kinds());
            assert!(loaded.is_ok(), "{names:?}: {loaded:?}\n{text}");
        }
    }

    #[test]
    fn an_image_is_known_by_the_last_part_of_its_name() {
        assert!(records("docker.io/library/redis:8").is_some());
        assert!(records("registry.example:5000/bitnami/postgresql@sha256:00").is_some());
        assert_eq!(records("quay.io/redis/exporter:1"), None);
    }
}
