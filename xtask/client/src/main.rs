//! `chartproof-client`: the client in the cluster.

fn main() -> anyhow::Result<()> {
    client::program::run()
}
