//! The only place from which the tests start programs that they wait for.

use std::ffi::OsString;

/// A program and its arguments.
#[expect(clippy::disallowed_methods, reason = "started like by a user; the test runner's own time limit applies")]
pub fn command<A>(program: impl duct::IntoExecutablePath, arguments: A) -> duct::Expression
where
    A: IntoIterator<Item: Into<OsString>>,
{
    duct::cmd(program, arguments)
}
