//! All problems with the environment in one message, each with its fix.

use std::fmt;

/// The problems that preflight found.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

#[derive(Debug)]
struct Problem {
    what: String,
    fix: String,
}

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Problem { what: what.into(), fix: fix.into() });
    }

    /// Returns the value of a result, or adds its error as a problem.
    pub fn take<T, E: fmt::Display>(&mut self, result: Result<T, E>, fix: &str) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(error.to_string(), fix);
                None
            }
        }
    }

    /// Returns whether there are no problems.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the problems on one line, without the fixes: `kind v0.27.0 is too old; docker has no image`.
    pub fn line(&self) -> String {
        let first = |problem: &Problem| problem.what.lines().next().unwrap_or_default().to_owned();
        self.0.iter().map(first).collect::<Vec<_>>().join("; ")
    }

    /// Returns all problems as one error.
    ///
    /// # Errors
    /// If there are problems.
    pub fn into_result(self) -> anyhow::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = if self.0.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", self.0.len()) };
        write!(f, "{count} found before the run, nothing was created:")?;
        for Problem { what, fix } in &self.0 {
            write!(f, "\n  - {what}")?;
            if !fix.is_empty() {
                write!(f, "\n      fix: {fix}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut problems = Problems::default();
        assert_eq!(problems.take(Ok::<_, String>(1), ""), Some(1));
        assert_eq!(problems.take::<(), _>(Err("docker is unavailable"), "start it"), None);
        problems.add("1 GB of disk is free", "free 4 GB");
        assert_eq!(
            problems.into_result().unwrap_err().to_string(),
            "2 problems found before the run, nothing was created:\n  - docker is unavailable\n      fix: start it\n  \
             - 1 GB of disk is free\n      fix: free 4 GB"
        );
        assert!(Problems::default().into_result().is_ok());
    }
}
