//! Traffic of a pod on a node of kind that is lost or late: rules of iptables, or netem, in the pod's network namespace.

use std::collections::BTreeSet;
use std::net::IpAddr;

use embedded::traffic::{Direction, DisturbedTraffic, Effect, Others};
use process::CommandError;

use super::docker::DockerOfNodes;
use super::packet_rules::{IPTABLES, Network, Rule, program};
use crate::not_applicable::NotApplicable;

/// What tc prints about a qdisc that does not exist.
const NO_QDISC: [&str; 3] = ["handle of zero", "No such file or directory", "Cannot find"];
/// What tc prints about a qdisc that the kernel lacks.
const UNKNOWN_QDISC: &str = "qdisc kind is unknown";
/// The band of delayed packets: the three before it are those of the default priorities.
const BAND: &str = "1:4";

pub(super) async fn make(
    docker: DockerOfNodes<'_>,
    node: &str,
    traffic: &DisturbedTraffic,
) -> Result<Result<(), NotApplicable>, CommandError> {
    let Some(network) = network_of(docker, node, &traffic.pod_uid).await? else {
        return Ok(Err(NotApplicable(format!("Node/{node} runs no pod with UID {}", traffic.pod_uid))));
    };
    match traffic.effect {
        Effect::Lost { percent } => network.insert(&rules(&network, traffic, percent).await?).await.map(Ok),
        Effect::Late { .. } if traffic.direction == Direction::Receives => {
            Ok(Err(NotApplicable("netem delays only what a pod sends".to_owned())))
        }
        Effect::Late { delay_ms, jitter_ms } => match delay(&network, traffic, delay_ms, jitter_ms).await {
            Err(error) if error.tail.contains(UNKNOWN_QDISC) => {
                delay_no_more(&network).await?;
                Ok(Err(NotApplicable(format!("the kernel of Node/{node} has no netem (sch_netem)"))))
            }
            delayed => delayed.map(Ok),
        },
    }
}

/// Removes the rules. A pod that is gone has taken them along.
pub(super) async fn undo(
    docker: DockerOfNodes<'_>,
    node: &str,
    traffic: &DisturbedTraffic,
) -> Result<(), CommandError> {
    let Some(network) = network_of(docker, node, &traffic.pod_uid).await? else { return Ok(()) };
    match traffic.effect {
        Effect::Lost { percent } => network.delete(&rules(&network, traffic, percent).await?).await,
        Effect::Late { .. } => delay_no_more(&network).await,
    }
}

/// Returns how many packets the rules have lost or delayed so far.
pub(super) async fn hits(
    docker: DockerOfNodes<'_>,
    node: &str,
    traffic: &DisturbedTraffic,
) -> Result<u64, CommandError> {
    let Some(network) = network_of(docker, node, &traffic.pod_uid).await? else { return Ok(0) };
    if let Effect::Late { .. } = traffic.effect {
        return Ok(delayed(&network.run(&["tc", "-s", "qdisc", "show", "dev", "eth0"]).await?));
    }
    network.dropped(chain(traffic.direction)).await
}

/// Returns the network of a pod; none if it does not run.
async fn network_of<'a>(
    docker: DockerOfNodes<'a>,
    node: &'a str,
    pod_uid: &str,
) -> Result<Option<Network<'a>>, CommandError> {
    let label = format!("io.kubernetes.pod.uid={pod_uid}");
    let pods = docker.exec(node, &["crictl", "pods", "--state", "ready", "--label", &label, "--quiet"]).await?;
    let Some(pod) = pods.split_whitespace().next() else { return Ok(None) };
    let format = ["--output", "go-template", "--template", "{{.info.pid}}"];
    let pid = docker.exec(node, &[&["crictl", "inspectp"], &format[..], &[pod]].concat()).await?;
    Ok(Some(Network { docker, node, pid: Some(pid.trim().to_owned()) }))
}

async fn rules(network: &Network<'_>, traffic: &DisturbedTraffic, percent: u8) -> Result<Vec<Rule>, CommandError> {
    let kubelet = match traffic.others {
        Others::AllBut(_) => kubelet(&network.run(&["ip", "route", "show", "default"]).await?),
        Others::Only(_) | Others::NameServers => None,
    };
    Ok(rules_for(traffic, percent, kubelet))
}

/// Delays what the pod sends to the others, in a band of its own.
async fn delay(
    network: &Network<'_>,
    traffic: &DisturbedTraffic,
    delay_ms: u32,
    jitter_ms: u32,
) -> Result<(), CommandError> {
    let Others::Only(others) = &traffic.others else { return Ok(()) };
    delay_no_more(network).await?;
    let (delay, half) = (format!("{}ms", delay_ms + jitter_ms / 2), format!("{}ms", jitter_ms / 2));
    let qdisc = ["tc", "qdisc", "add", "dev", "eth0"];
    network.run(&[&qdisc[..], &["root", "handle", "1:", "prio", "bands", "4"]].concat()).await?;
    network.run(&[&qdisc[..], &["parent", BAND, "handle", "4:", "netem", "delay", &delay, &half]].concat()).await?;
    for other in others {
        let (protocol, priority, field, address) = match other {
            IpAddr::V4(ip) => ("ip", "1", "ip", format!("{ip}/32")),
            IpAddr::V6(ip) => ("ipv6", "2", "ip6", format!("{ip}/128")),
        };
        let filter = ["tc", "filter", "add", "dev", "eth0", "parent", "1:", "protocol", protocol, "prio", priority];
        network.run(&[&filter[..], &["u32", "match", field, "dst", &address, "flowid", BAND]].concat()).await?;
    }
    Ok(())
}

async fn delay_no_more(network: &Network<'_>) -> Result<(), CommandError> {
    match network.run(&["tc", "qdisc", "del", "dev", "eth0", "root"]).await {
        Err(error) if NO_QDISC.iter().any(|words| error.tail.contains(words)) => Ok(()),
        deleted => deleted.map(drop),
    }
}

/// Returns the rules, in the order in which they apply. Kubelet's probes come from `kubelet`, and the loopback
/// interface is not on the network.
fn rules_for(traffic: &DisturbedTraffic, percent: u8, kubelet: Option<IpAddr>) -> Vec<Rule> {
    let (address, interface) = match traffic.direction {
        Direction::Sends => ("--destination", "--out-interface"),
        Direction::Receives => ("--source", "--in-interface"),
    };
    let chain = chain(traffic.direction);
    let rule = |program: &'static str, matches: &[&str], target: &str| Rule::new(program, chain, matches, target);
    let of = |ip: &IpAddr, target: &str, more: &[&str]| {
        rule(program(ip), &[&[address, &ip.to_string()], more].concat(), target)
    };
    let share = format!("0.{percent:02}");
    let random = ["-m", "statistic", "--mode", "random", "--probability", &share];
    let some = if percent < 100 { &random[..] } else { &[] };
    match &traffic.others {
        Others::Only(these) => these.iter().map(|ip| of(ip, "DROP", some)).collect(),
        Others::AllBut(these) => {
            let kept: BTreeSet<IpAddr> = these.iter().copied().chain(kubelet).collect();
            let local = IPTABLES.iter().map(|program| rule(program, &[interface, "lo"], "ACCEPT"));
            let kept = kept.iter().map(|ip| of(ip, "ACCEPT", &[]));
            let rest = IPTABLES.iter().map(|program| rule(program, some, "DROP"));
            local.chain(kept).chain(rest).collect()
        }
        Others::NameServers => {
            let ways = IPTABLES.iter().flat_map(|program| ["udp", "tcp"].map(|protocol| (program, protocol)));
            ways.map(|(program, protocol)| {
                let port = ["--protocol", protocol, "--dport", "53"];
                rule(program, &[&port[..], some].concat(), "DROP")
            })
            .collect()
        }
    }
}

fn chain(direction: Direction) -> &'static str {
    match direction {
        Direction::Sends => "OUTPUT",
        Direction::Receives => "INPUT",
    }
}

/// Returns the packets that went through netem: `Sent 540 bytes 9 pkt (dropped 0, …)` after its line.
fn delayed(qdiscs: &str) -> u64 {
    let mut lines = qdiscs.lines().skip_while(|line| !line.starts_with("qdisc netem"));
    let mut words = lines.nth(1).unwrap_or_default().split_whitespace().skip_while(|word| *word != "bytes");
    words.nth(1).and_then(|packets| packets.parse().ok()).unwrap_or(0)
}

/// Returns the address of the node in the pod's network, from `default via 10.244.1.1 dev eth0`.
fn kubelet(routes: &str) -> Option<IpAddr> {
    let mut words = routes.split_whitespace().skip_while(|word| *word != "via");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(direction: Direction, others: Others, percent: u8) -> Vec<String> {
        let effect = Effect::Lost { percent };
        let traffic = DisturbedTraffic { pod_uid: "1b".to_owned(), direction, others, effect };
        let rules = rules_for(&traffic, percent, kubelet("default via 10.244.1.1 dev eth0 \n"));
        rules.iter().map(|rule| rule.command("--insert").join(" ")).collect()
    }

    fn ips(ips: &[&str]) -> BTreeSet<IpAddr> {
        ips.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn one_direction_to_some_pods_is_dropped() {
        let sends = commands(Direction::Sends, Others::Only(ips(&["10.244.1.2", "fd00::2"])), 100);
        let mark = "-m comment --comment chartproof";
        assert_eq!(
            sends,
            [
                format!("iptables --wait 10 --insert OUTPUT --destination 10.244.1.2 --jump DROP {mark}"),
                format!("ip6tables --wait 10 --insert OUTPUT --destination fd00::2 --jump DROP {mark}"),
            ]
        );
        let receives = commands(Direction::Receives, Others::Only(ips(&["10.244.1.2"])), 5);
        let random = "-m statistic --mode random --probability 0.05";
        let expected = format!("iptables --wait 10 --insert INPUT --source 10.244.1.2 {random} --jump DROP {mark}");
        assert_eq!(receives, [expected]);
    }

    #[test]
    fn a_pod_without_clients_still_has_peers_probes_and_itself() {
        let commands = commands(Direction::Receives, Others::AllBut(ips(&["10.244.2.3"])), 100);
        let mark = " -m comment --comment chartproof";
        let shown: Vec<_> =
            commands.iter().map(|one| one.replace(mark, "").replace(" --wait 10 --insert", "")).collect();
        assert_eq!(
            shown,
            [
                "iptables INPUT --in-interface lo --jump ACCEPT",
                "ip6tables INPUT --in-interface lo --jump ACCEPT",
                "iptables INPUT --source 10.244.1.1 --jump ACCEPT",
                "iptables INPUT --source 10.244.2.3 --jump ACCEPT",
                "iptables INPUT --jump DROP",
                "ip6tables INPUT --jump DROP",
            ]
        );
    }

    #[test]
    fn the_delayed_packets_are_counted() {
        let qdiscs = "qdisc prio 1: root refcnt 2 bands 4 priomap 1 2 2 2\n Sent 900 bytes 12 pkt (dropped 0, overlimits 0)\n \
                      backlog 0b 0p requeues 0\nqdisc netem 4: parent 1:4 limit 1000 delay 60ms  10ms\n Sent 540 bytes 9 pkt \
                      (dropped 0, overlimits 0)\n";
        assert_eq!((delayed(qdiscs), delayed("qdisc noqueue 0: root\n")), (9, 0));
    }

    #[test]
    fn questions_to_name_servers_are_dropped() {
        let commands = commands(Direction::Sends, Others::NameServers, 100);
        assert_eq!(commands.len(), 4);
        assert!(commands[0].contains("iptables --wait 10 --insert OUTPUT --protocol udp --dport 53 --jump DROP"));
    }
}
