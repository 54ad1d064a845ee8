//! The process environment, read once at the start; no other code reads it from the system.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A snapshot of the environment and the working directory, with the overrides of the command line.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    working_dir: PathBuf,
    named: Named,
}

/// Places of settings that the command line names; they take precedence over the variables of the same names.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// The folder of `.env`, `vega.toml` and the key.
    pub config_dir: Option<PathBuf>,
    /// A file like `.env` that takes precedence over the one of the folder.
    pub env_file: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            working_dir: std::env::current_dir().unwrap_or_default(),
            named: Named::default(),
        }
    }

    /// The same with the places that the command line names.
    #[must_use]
    pub fn naming(self, named: Named) -> Self {
        Self { named, ..self }
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
            named: Named::default(),
        }
    }

    /// One variable, if its value is not empty.
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.variables
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// All variables whose name starts with one of the prefixes and whose name is valid text.
    pub(crate) fn with_prefix(&self, prefixes: &[&str]) -> Vec<(String, &OsStr)> {
        let variables = self.variables.iter();
        variables
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.as_os_str())))
            .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
            .collect()
    }

    /// The environment for child processes: everything except Vega's own settings and credentials, which hold secrets.
    /// Folders of the path that change with the working directory are removed too.
    pub(crate) fn for_children(&self) -> Vec<(OsString, OsString)> {
        let is_ours = |name: &OsString| {
            let name = name.to_string_lossy();
            name.starts_with("UPSTOX_") || name.starts_with("VEGA_") || name == "CREDENTIALS_DIRECTORY"
        };
        self.variables
            .iter()
            .filter(|(name, _)| !is_ours(name))
            .filter_map(|(name, value)| match name.to_str() {
                Some("PATH") => {
                    let path = std::env::join_paths(lasting_folders(value)).ok()?;
                    // An empty one would be the working directory.
                    (!path.is_empty()).then(|| (name.clone(), path))
                }
                _ => Some((name.clone(), value.clone())),
            })
            .collect()
    }

    pub(crate) fn working_dir(&self) -> &Path {
        &self.working_dir
    }

    pub(crate) fn named(&self) -> &Named {
        &self.named
    }

    /// The first of `programs` that is on the path. Programs in the working directory are not run: an entry such as `.`
    /// in the path would find them, and anybody may have put them there.
    pub(crate) fn find_program(&self, programs: &[&str]) -> Option<PathBuf> {
        let folders: Vec<PathBuf> = lasting_folders(self.get("PATH")?).collect();
        programs.iter().find_map(|program| {
            folders
                .iter()
                .map(|folder| folder.join(program))
                .find(|candidate| is_program(candidate))
        })
    }
}

/// The folders of a path that do not depend on the working directory.
fn lasting_folders(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|folder| folder.is_absolute())
}

/// Whether this user may execute the file.
pub(crate) fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use nix::unistd::{AccessFlags, access};
        path.is_file() && access(path, AccessFlags::X_OK).is_ok()
    }
    #[cfg(not(unix))]
    path.is_file()
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

    #[test]
    fn no_program_is_run_from_the_working_directory() {
        use std::os::unix::fs::PermissionsExt;
        let (here, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&here, &away] {
            let program = folder.path().join("chromedriver");
            std::fs::write(&program, "#!/bin/sh").unwrap();
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let found = |path: &str| {
            let environment = Environment::made_of(&[("PATH", path)], here.path());
            let for_children = environment.for_children();
            (
                environment.find_program(&["chromedriver"]),
                for_children[0].1.clone(),
            )
        };
        let safe = away.path().display().to_string();
        for relative in [".", "", "bin", "./", ".."] {
            let (program, for_children) = found(&format!("{relative}:{safe}"));
            assert_eq!(program, Some(away.path().join("chromedriver")), "{relative:?}");
            assert_eq!(for_children, OsString::from(&safe), "{relative:?}");
        }
    }
}
