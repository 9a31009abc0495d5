//! All that is wrong with the environment, in one message, each with its fix.

use std::fmt;

/// What preflight found; empty is good.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

#[derive(Debug)]
struct Problem {
    what: String,
    fix: String,
}

impl Problems {
    /// One more.
    pub fn add(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Problem { what: what.into(), fix: fix.into() });
    }

    /// Notes an error, and goes on without what it stands for.
    pub fn take<T, E: fmt::Display>(&mut self, result: Result<T, E>, fix: &str) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(error.to_string(), fix);
                None
            }
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong, without the fixes: `kind v0.27.0 is too old; docker has no image`.
    pub fn line(&self) -> String {
        let first = |problem: &Problem| problem.what.lines().next().unwrap_or_default().to_owned();
        self.0.iter().map(first).collect::<Vec<_>>().join("; ")
    }

    /// Nothing, or all of it as one error.
    ///
    /// # Errors
    /// Where there is any problem.
    pub fn into_result(self) -> anyhow::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = if self.0.len() == 1 { "one thing is" } else { "several things are" };
        write!(f, "{things} in the way, and nothing was created:")?;
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
    fn all_problems_are_told_at_once() {
        let mut problems = Problems::default();
        assert_eq!(problems.take(Ok::<_, String>(1), ""), Some(1));
        assert_eq!(problems.take::<(), _>(Err("docker does not answer"), "start it"), None);
        problems.add("1 GB of disk is free", "free 4 GB");
        assert_eq!(
            problems.into_result().unwrap_err().to_string(),
            "several things are in the way, and nothing was created:\n  - docker does not answer\n      fix: start it\n  \
             - 1 GB of disk is free\n      fix: free 4 GB"
        );
        assert!(Problems::default().into_result().is_ok());
    }
}
