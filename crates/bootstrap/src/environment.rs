//! The process environment, taken once at the start; nothing asks the system again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A snapshot of the environment and the working directory.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    working_dir: PathBuf,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            working_dir: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// A made-up environment, for tests.
    pub fn made_of(variables: &[(&str, &str)], working_dir: &Path) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            working_dir: working_dir.to_owned(),
        }
    }

    /// One variable, if it is set to something.
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.variables
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// All variables whose name starts with one of the prefixes and whose name and value are text.
    pub(crate) fn text_with_prefix(&self, prefixes: &[&str]) -> Vec<(String, String)> {
        self.variables
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())))
            .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
            .collect()
    }

    /// What a child process may have: everything but Vega's own settings and credentials, which hold secrets.
    pub(crate) fn for_children(&self) -> Vec<(OsString, OsString)> {
        let is_ours = |name: &OsString| {
            let name = name.to_string_lossy();
            name.starts_with("UPSTOX_") || name.starts_with("VEGA_") || name == "CREDENTIALS_DIRECTORY"
        };
        self.variables
            .iter()
            .filter(|(name, _)| !is_ours(name))
            .cloned()
            .collect()
    }

    pub(crate) fn working_dir(&self) -> &Path {
        &self.working_dir
    }

    /// The first of `programs` that is on the path.
    pub(crate) fn find_program(&self, programs: &[&str]) -> Option<PathBuf> {
        let path = self.get("PATH")?;
        let folders: Vec<PathBuf> = std::env::split_paths(path).collect();
        programs.iter().find_map(|program| {
            folders
                .iter()
                .map(|folder| folder.join(program))
                .find(|candidate| candidate.is_file())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_get_nothing_of_ours() {
        let given = [
            ("HOME", "/h"),
            ("UPSTOX_CLIENT_SECRET_0", "CANARY"),
            ("VEGA__KEY_FILE", "/k"),
            ("CREDENTIALS_DIRECTORY", "/c"),
            ("PATH", "/bin"),
        ];
        let environment = Environment::made_of(&given, Path::new("/"));
        let names: Vec<_> = environment
            .for_children()
            .into_iter()
            .map(|(name, _)| name.into_string().unwrap())
            .collect();
        assert_eq!(names, ["HOME", "PATH"]);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let environment = Environment::made_of(&[("A", ""), ("B", "b")], Path::new("/"));
        assert_eq!(
            (environment.get("A"), environment.get("B")),
            (None, Some(&OsString::from("b")))
        );
    }
}
