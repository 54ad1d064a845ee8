//! One thing that breaks a rule: where it is, what is wrong, and what to do about it.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    file: String,
    line: Option<usize>,
    wrong: String,
    remedy: String,
}

impl Finding {
    /// Something about a whole file. Both texts come without a full stop.
    pub(crate) fn in_file(file: &str, wrong: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            wrong: wrong.into(),
            remedy: remedy.into(),
        }
    }

    /// Something about one line, counted from 1.
    pub(crate) fn at_line(
        file: &str,
        line: usize,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            line: Some(line),
            ..Self::in_file(file, wrong, remedy)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}. {}.", self.wrong, self.remedy)
    }
}

/// What a test compares: the findings as they are printed.
#[cfg(test)]
pub(crate) fn printed(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
