//! Opens a link in the system's browser without writing it on a command line, where every user of the machine could read its
//! `state`: the browser gets a file that redirects to the link. Only this user can read the file, and it is removed with its
//! sign-in. A browser that is confined to its own files cannot read it; the operator is told then.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use askama::Template;
use tempfile::{Builder, NamedTempFile, TempDir};
use tokio::process::Command;
use tokio::time::timeout;
use vega_domain::secret::AuthorizeLink;

/// A program that has not failed by then has opened the browser, or is the browser.
const FAILS_WITHIN: Duration = Duration::from_secs(3);
/// Where snapd describes what it has installed.
const SNAPS: &str = "/var/lib/snapd/desktop/applications";

/// The environment of what is started.
pub(crate) type Variables = [(OsString, OsString)];

/// What became of the request to open a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A browser was started.
    Done,
    /// None could be started.
    NoBrowser,
    /// The desktop's browser could not read the file.
    Confined,
}

/// A file that leads to a link, as long as this lives.
pub(crate) struct RedirectFile {
    file: NamedTempFile,
    /// Where there is no folder for this user alone, one is made.
    _folder: Option<TempDir>,
}

#[derive(Template)]
#[template(path = "redirect.html")]
struct RedirectPage<'a> {
    link: &'a str,
}

impl RedirectFile {
    pub(crate) fn to(link: &AuthorizeLink, environment: &Variables) -> std::io::Result<Self> {
        let link = link.expose();
        let page = RedirectPage { link }.render().map_err(std::io::Error::other)?;
        let (folder, made) = if let Some(folder) = private_folder(environment) {
            (folder, None)
        } else {
            let made = private_folder_of_its_own()?;
            (made.path().to_owned(), Some(made))
        };
        // 0600, and under a name that nobody can have taken.
        let mut named = Builder::new();
        named.prefix("vega-sign-in-").suffix(".html").rand_bytes(16);
        let mut file = named.tempfile_in(folder)?;
        file.write_all(page.as_bytes())?;
        Ok(Self { file, _folder: made })
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    /// Starts the system's browser with it.
    pub(crate) async fn open(&self, environment: &Variables) -> Opening {
        if is_snap(environment).await {
            return Opening::Confined;
        }
        for command in open::commands(self.path()) {
            let mut command = dressed(command.into(), environment);
            command.stdout(Stdio::null());
            // The browser is the operator's: Ctrl-C at Vega is not meant for it.
            #[cfg(unix)]
            command.process_group(0);
            let Ok(mut child) = command.spawn() else {
                continue;
            };
            match timeout(FAILS_WITHIN, child.wait()).await {
                Ok(Ok(status)) if !status.success() => {}
                _ => return Opening::Done,
            }
        }
        Opening::NoBrowser
    }
}

fn dressed(mut command: Command, environment: &Variables) -> Command {
    command
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn private_folder_of_its_own() -> std::io::Result<TempDir> {
    let mut named = Builder::new();
    named.prefix("vega-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        named.permissions(std::fs::Permissions::from_mode(0o700));
    }
    named.tempdir()
}

/// `$XDG_RUNTIME_DIR`, if it is what it must be: a folder of this user's alone.
fn private_folder(environment: &Variables) -> Option<PathBuf> {
    let (_, folder) = environment.iter().find(|(name, _)| name == "XDG_RUNTIME_DIR")?;
    let folder = PathBuf::from(folder);
    let about = folder.symlink_metadata().ok()?;
    (folder.is_absolute() && about.is_dir() && is_ours_alone(&about)).then_some(folder)
}

#[cfg(unix)]
fn is_ours_alone(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    about.uid() == nix::unistd::geteuid().as_raw() && about.mode().trailing_zeros() >= 6
}

#[cfg(not(unix))]
fn is_ours_alone(_about: &std::fs::Metadata) -> bool {
    false
}

/// Whether the desktop opens pages in a snap, which sees neither the runtime folder nor `/tmp` of the system.
async fn is_snap(environment: &Variables) -> bool {
    let path = environment.iter().find(|(name, _)| name == "PATH");
    // Found by the path that the browser gets, and not by ours.
    let Some(program) = path.and_then(|(_, path)| find("xdg-settings", path)) else {
        return false;
    };
    let mut asked = dressed(Command::new(program), environment);
    let asked = asked.args(["get", "default-web-browser"]).kill_on_drop(true);
    let Ok(Ok(said)) = timeout(FAILS_WITHIN, asked.output()).await else {
        return false;
    };
    let name = String::from_utf8_lossy(&said.stdout);
    let name = name.trim();
    !name.is_empty() && !name.contains('/') && Path::new(SNAPS).join(name).exists()
}

fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    let mut candidates = std::env::split_paths(path).map(|folder| folder.join(program));
    candidates.find(|candidate| candidate.is_file())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_is_this_users_alone_wherever_it_lies_and_goes() {
        let ours = tempfile::tempdir().unwrap();
        let shared = tempfile::tempdir().unwrap();
        for (folder, mode) in [(&ours, 0o700), (&shared, 0o755)] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let gone = ours.path().join("gone");
        let link = AuthorizeLink::new("https://api.upstox.example/dialog?client_id=a&state=\"S-1\"");
        for (folder, is_taken) in [
            (Some(ours.path()), true),
            (Some(shared.path()), false),
            (Some(gone.as_path()), false),
            (Some(Path::new("relative")), false),
            (None, false),
        ] {
            let environment: Vec<(OsString, OsString)> = folder
                .map(|folder| ("XDG_RUNTIME_DIR".into(), folder.into()))
                .into_iter()
                .collect();
            let file = RedirectFile::to(&link, &environment).unwrap();
            let path = file.path().to_owned();
            let lies_in = path.parent().unwrap().to_owned();
            assert_eq!(
                folder == Some(lies_in.as_path()),
                is_taken,
                "{folder:?}: {path:?}"
            );
            assert_eq!((mode(&path), mode(&lies_in)), (0o600, 0o700), "{folder:?}");
            let page = std::fs::read_to_string(&path).unwrap();
            assert!(!page.contains("state=\"S-1\""), "it is escaped: {page}");
            drop(file);
            assert!(!path.exists() && lies_in.exists() == is_taken, "{folder:?}");
        }
    }
}
