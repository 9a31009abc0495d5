//! Brings a cluster up, loads the archives named on the command line, and waits for its input to end:
//! `cargo run -p embedded --example cluster -- DIR [ARCHIVE…]`.

use std::io::{Read, Write, stdin, stdout};
use std::path::PathBuf;

use embedded::cluster::{Cluster, Faults, Options};

fn main() -> anyhow::Result<()> {
    embedded::reexec();
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let dir = arguments.next().ok_or_else(|| anyhow::anyhow!("usage: cluster DIR [ARCHIVE…]"))?;
    let options = Options { dir, exe: std::env::current_exe()?, faults: Faults::default() };
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let begun = std::time::Instant::now();
        let cluster = Cluster::start(options).await?;
        let kubeconfig = cluster.kubeconfig().display();
        writeln!(stdout(), "ready after {:?}: export KUBECONFIG={kubeconfig}", begun.elapsed())?;
        for archive in arguments {
            writeln!(stdout(), "loaded {:?}", cluster.load_images(&archive).await?)?;
        }
        tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new())).await??;
        writeln!(stdout(), "{:#?}", cluster.report().await?)?;
        cluster.stop().await
    })
}
