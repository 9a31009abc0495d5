//! The program `chartproof-client`: writes and reads from inside the cluster, for a harness that connects to it. With the
//! arguments `install FOLDER` it copies itself, to run in a container of another image.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::{inside, install};

/// Returns whether a program was started as the client: under its name, or under that of its own copy as a loader.
pub fn is_asked() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name();
    [install::PROGRAM, install::LOADER].iter().any(|own| name == Some(OsStr::new(own)))
}

/// Runs the program until it is asked to terminate.
///
/// # Errors
/// If it can't listen, or can't copy itself.
pub fn run() -> anyhow::Result<()> {
    if let [_, command, folder] = std::env::args().collect::<Vec<_>>().as_slice()
        && command == "install"
    {
        return install::install(Path::new(folder));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("starting the async runtime")?.block_on(listen())
}

async fn listen() -> anyhow::Result<()> {
    let port = inside::PORT;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    let listener = listener.with_context(|| format!("listening on port {port}"))?;
    note(format_args!("listening on port {port}"));
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, from) = accepted.context("accepting a connection")?;
                tokio::spawn(async move {
                    note(format_args!("{from} connected"));
                    match inside::serve(stream).await {
                        Ok(()) => note(format_args!("{from} disconnected")),
                        Err(error) => note(format_args!("{from}: {error:#}")),
                    }
                });
            }
            _ = terminated.recv() => return Ok(()),
        }
    }
}

/// Prints a line to the container's log. Failing to write is no reason to stop.
fn note(line: fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
