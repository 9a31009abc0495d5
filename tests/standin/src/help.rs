//! The parts of `--help` that are not about the command line: environment and faults.

use crate::faults;

/// Returns the environment of `caesium start`, and the faults.
pub fn start() -> String {
    format!("{START}{}", faults::help())
}

const START: &str = "\
Environment of start, as Caesium's:
  CAESIUM_PORT=8080                    HTTP, on all addresses; 0 picks a port
  CAESIUM_NODE_ADDRESS=127.0.0.1:9001  Raft; numeric, bound as given
  CAESIUM_DATABASE_NODES=              peers to join through, host:port, comma-separated; ignored with an info.yaml
  CAESIUM_DATABASE_PATH=/var/lib/caesium/dqlite
  CAESIUM_DATABASE_TYPE=internal       the only supported type
  CAESIUM_LOG_LEVEL=info               error, warn, info, debug
  CAESIUM_MAX_PARALLEL_TASKS=1         shown as workers_total

Environment of start, the stand-in's own:
  STANDIN_QUORUM=on                    off: /health without the later checks.cluster.quorum
  STANDIN_ELECTION_TIMEOUT_MS=3000     silence after which a voter stands for election
  STANDIN_HEARTBEAT_MS=500
  STANDIN_ROLES_CYCLE_S=30             interval of the leader's checks of the roles
  STANDIN_SNAPSHOT_ENTRIES=1000        log entries between two snapshots

Faults, planted by STANDIN_FAULT=name[=value][@ordinal],...; of the other commands, the servers support the faults of
HTTP and of the process:
";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// To update the README, paste the output: missing parts are printed completely.
    #[test]
    fn the_readme_has_the_help_of_every_command() {
        let mut program = crate::Program::command();
        program.build();
        let mut helps = vec![program.render_help().to_string()];
        let commands = program.get_subcommands_mut().filter(|command| !["start", "help"].contains(&command.get_name()));
        helps.extend(commands.map(|command| command.render_help().to_string()));
        let readme = include_str!("../README.md");
        for help in helps {
            assert!(readme.contains(help.trim_end()), "paste into README.md, between the fences:\n{help}");
        }
    }
}
