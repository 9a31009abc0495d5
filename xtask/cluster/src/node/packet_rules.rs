//! Rules of iptables on a node of kind, or in the network of one of its pods.

use std::net::IpAddr;

use process::CommandError;

use super::docker::DockerOfNodes;

/// The programs, by version of IP.
pub const IPTABLES: [&str; 2] = ["iptables", "ip6tables"];
/// Distinguishes rules of the harness from others.
const MARK: [&str; 4] = ["-m", "comment", "--comment", "chartproof"];
/// What iptables prints about a rule that does not exist.
const NO_RULE: &str = "does a matching rule exist";

/// A rule of iptables.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// One of [`IPTABLES`].
    pub program: &'static str,
    /// Its chain.
    pub chain: &'static str,
    /// What it matches, and what happens then.
    pub rest: Vec<String>,
}

impl Rule {
    /// Returns a rule for packets that match.
    pub fn new(program: &'static str, chain: &'static str, matches: &[&str], target: &str) -> Self {
        let rest = matches.iter().chain(&["--jump", target]).map(|&one| one.to_owned()).collect();
        Self { program, chain, rest }
    }

    /// Returns the command that does this with the rule: `--insert`.
    pub fn command<'a>(&'a self, verb: &'a str) -> Vec<&'a str> {
        let rest = self.rest.iter().map(String::as_str);
        [self.program, "--wait", "10", verb, self.chain].into_iter().chain(rest).chain(MARK).collect()
    }
}

/// Returns the program for an address.
pub fn program(ip: &IpAddr) -> &'static str {
    let [four, six] = IPTABLES;
    if ip.is_ipv4() { four } else { six }
}

/// A network in which a node's programs run: the node's own, or that of a pod.
pub struct Network<'a> {
    pub docker: DockerOfNodes<'a>,
    pub node: &'a str,
    /// A process of the pod.
    pub pid: Option<String>,
}

impl Network<'_> {
    /// Runs a program of the node in this network.
    pub async fn run(&self, command: &[&str]) -> Result<String, CommandError> {
        let enter = self.pid.as_ref().map(|pid| ["nsenter", "--target", pid, "--net", "--"]);
        self.docker.exec(self.node, &[enter.as_ref().map_or(&[][..], |enter| enter), command].concat()).await
    }

    /// Puts rules first in their chains, in this order, unless they are there.
    pub async fn insert(&self, rules: &[Rule]) -> Result<(), CommandError> {
        for rule in rules.iter().rev() {
            if !self.has(rule).await? {
                self.run(&rule.command("--insert")).await?;
            }
        }
        Ok(())
    }

    /// Removes rules, if they are there.
    pub async fn delete(&self, rules: &[Rule]) -> Result<(), CommandError> {
        for rule in rules {
            if self.has(rule).await? {
                self.run(&rule.command("--delete")).await?;
            }
        }
        Ok(())
    }

    async fn has(&self, rule: &Rule) -> Result<bool, CommandError> {
        match self.run(&rule.command("--check")).await {
            Ok(_) => Ok(true),
            Err(error) if error.tail.contains(NO_RULE) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns how many packets the rules of a chain have dropped.
    pub async fn dropped(&self, chain: &str) -> Result<u64, CommandError> {
        let mut packets = 0;
        for program in IPTABLES {
            let list = [program, "--wait", "10", "--list", chain, "--verbose", "--numeric", "--exact"];
            packets += dropped(&self.run(&list).await?);
        }
        Ok(packets)
    }
}

/// Returns the packets of the harness's rules in a list of iptables: `9 540 DROP tcp -- * * … /* chartproof */`.
fn dropped(list: &str) -> u64 {
    let own = list.lines().filter(|line| line.contains("/* chartproof */"));
    let rules = own.map(|line| line.split_whitespace().collect::<Vec<_>>());
    rules.filter(|rule| rule.get(2) == Some(&"DROP")).filter_map(|rule| rule[0].parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dropped_packets_are_counted() {
        let list = "Chain OUTPUT (policy ACCEPT 3 packets, 180 bytes)\n\
                    \x20   pkts      bytes target     prot opt in     out     source               destination\n\
                    \x20      9      540 DROP       all  --  *      *       0.0.0.0/0            10.244.1.2           /* chartproof */\n\
                    \x20      4      240 DROP       all  --  *      *       0.0.0.0/0            10.244.1.3           /* chartproof */\n\
                    \x20      7      420 ACCEPT     all  --  *      lo      0.0.0.0/0            0.0.0.0/0            /* chartproof */\n\
                    \x20      5      300 DROP       all  --  *      *       0.0.0.0/0            10.244.1.4\n";
        assert_eq!(dropped(list), 13);
    }
}
