//! A command on this machine: the program runs in a pod of the application's image.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::response::{BYTES_MAX, Failure, Response};

/// Runs a program with its arguments. If it takes longer than its time limit, it is killed with all that it started.
///
/// # Errors
/// If it can't be started, does not end in time, or writes too much.
pub async fn run(words: Vec<String>, timeout: Duration) -> Result<Response, Failure> {
    let (program, arguments) = words.split_first().ok_or_else(|| Failure::NotSent("no program".to_owned()))?;
    #[expect(clippy::disallowed_methods, reason = "this program runs in a pod; the harness starts its own elsewhere")]
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.process_group(0).kill_on_drop(true).spawn();
    let mut child = child.map_err(|error| Failure::NotSent(error.to_string()))?;
    let group = Group(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let (output, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
        let status = child.wait().await.map_err(|error| error.to_string())?;
        Ok((output, stderr, status))
    };
    let ended = tokio::time::timeout(timeout, ended).await;
    drop(group);
    match ended {
        Ok(Ok((output, stderr, status))) => Ok(Response {
            status: Some(exit_status(status)),
            output,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }),
        Ok(Err(why)) => Err(Failure::Unanswered(why)),
        Err(_) => Err(Failure::TimedOut(format!("not ended within {} ms", timeout.as_millis()))),
    }
}

/// Returns the exit status as a shell does: 128 and the signal for a program that was killed.
fn exit_status(status: std::process::ExitStatus) -> u16 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u16::try_from(code).ok()).unwrap_or(u16::MAX)
}

/// Reads everything that a program writes.
///
/// # Errors
/// If that is too much.
pub async fn read(from: Option<impl AsyncRead + Unpin>) -> Result<Bytes, String> {
    let mut read = Vec::new();
    let Some(from) = from else { return Ok(Bytes::new()) };
    let limit = BYTES_MAX as u64;
    from.take(limit + 1).read_to_end(&mut read).await.map_err(|error| error.to_string())?;
    if read.len() > BYTES_MAX {
        return Err(format!("it wrote more than {BYTES_MAX} bytes"));
    }
    Ok(read.into())
}

/// A process group, which is killed when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            // An error means that all of it has ended.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_command_has_an_exit_status_and_two_outputs() {
        let response = run(shell("echo out; echo err >&2; exit 3"), LONG).await.unwrap();
        assert_eq!((response.status, &*response.text(), &*response.stderr), (Some(3), "out", "err\n"));
        assert_eq!(run(shell("kill -9 $$"), LONG).await.unwrap().status, Some(137));
        let none = run(vec!["/no/such".to_owned()], LONG).await.unwrap_err();
        assert_eq!(none, Failure::NotSent("No such file or directory (os error 2)".to_owned()));
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_given_up_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        // The shell waits for a child, which holds its outputs open.
        let script = format!("mkfifo {0}; cat {0} & wait", fifo.display());
        let failure = run(shell(&script), Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(failure, Failure::TimedOut("not ended within 200 ms".to_owned()));
    }

    #[tokio::test]
    async fn too_much_output_is_an_error() {
        let failure = run(shell("yes"), LONG).await.unwrap_err();
        assert_eq!(failure, Failure::Unanswered(format!("it wrote more than {BYTES_MAX} bytes")));
    }
}
