//! The folder for the browser's short-lived files: sockets and shared memory, outside the profile, because a socket's
//! path must be short. The operator's own runtime folder comes first; a folder that others may write is used only if it
//! is protected like the system's `/tmp`. Removes what a dead session left there, without entering any folder that Vega
//! did not make.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::settings::BrowserSettings;

/// The greatest length of the folder's path. A socket's path has 107 bytes at most, and `/vega-00000000-XXXXXX` and
/// Chromium's `/org.chromium.Chromium.XXXXXX/SingletonSocket` are added to the folder.
const LONGEST: usize = 107 - 45 - 22;
/// The room that is needed, because the browser's shared memory is here as well.
const ROOM: u64 = 256 * 1024 * 1024;

/// A new private folder, named after the installation whose profiles lie in `settings.profiles`.
pub(crate) fn scratch_folder(settings: &BrowserSettings) -> Result<TempDir> {
    let prefix = prefix(&settings.profiles);
    let folders = folders(settings);
    let has_room = |folder: &&PathBuf| room_left(folder).is_none_or(|left| left >= ROOM);
    let (roomy, tight): (Vec<_>, Vec<_>) = folders.iter().partition(has_room);
    let mut last = Error::new(
        ErrorKind::NotFound,
        "neither XDG_RUNTIME_DIR nor TMPDIR nor /tmp is a folder with a short path that nobody else can change",
    );
    for folder in roomy.into_iter().chain(tight) {
        match tempfile::Builder::new().prefix(&prefix).tempdir_in(folder) {
            Ok(made) => return Ok(made),
            Err(error) => last = Error::new(error.kind(), format!("{}: {error}", folder.display())),
        }
    }
    Err(last)
}

/// The possible folders, the best first.
pub(crate) fn folders(settings: &BrowserSettings) -> Vec<PathBuf> {
    let variable = |wanted: &str| {
        let mut variables = settings.environment.iter();
        let (_, value) = variables.find(|(name, _)| name == wanted)?;
        Some(PathBuf::from(value))
    };
    let mut folders: Vec<PathBuf> = variable("XDG_RUNTIME_DIR")
        .filter(|folder| belongs_to_us_alone(folder))
        .into_iter()
        .chain(variable("TMPDIR"))
        .chain([PathBuf::from("/tmp")])
        .filter(|folder| folder.is_absolute() && folder.as_os_str().len() <= LONGEST && is_safe(folder))
        .collect();
    let mut seen = Vec::new();
    folders.retain(|folder| {
        !seen.contains(folder) && {
            seen.push(folder.clone());
            true
        }
    });
    folders
}

fn prefix(profiles: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    profiles.hash(&mut hasher);
    format!("vega-{:08x}-", hasher.finish() >> 32)
}

/// Removes what dead sessions of this installation left. Touches nothing of another user, and enters no folder except
/// those that Chromium makes for its socket.
pub(crate) fn remove_leftovers(settings: &BrowserSettings) {
    let prefix = prefix(&settings.profiles);
    for folder in folders(settings) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries {
            if entry.file_name().to_string_lossy().starts_with(&prefix) && is_our_folder(&entry.path()) {
                tracing::debug!("removing a folder of a session that did not end well");
                remove_scratch(&entry.path());
            }
        }
    }
}

/// Removes files here and in the folders for sockets. Other folders stay, and then this folder stays too.
fn remove_scratch(scratch: &Path) {
    let entries = std::fs::read_dir(scratch).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let is_of_chromium = |name: &str| {
            name.starts_with("org.chromium.")
                || name.starts_with(".org.chromium.")
                || name.starts_with("com.google.Chrome.")
        };
        if is_our_folder(&path) && is_of_chromium(&entry.file_name().to_string_lossy()) {
            for inner in std::fs::read_dir(&path).into_iter().flatten().flatten() {
                let _ = std::fs::remove_file(inner.path());
            }
            let _ = std::fs::remove_dir(&path);
        } else {
            let _ = std::fs::remove_file(&path);
        }
    }
    let _ = std::fs::remove_dir(scratch);
}

#[cfg(unix)]
mod of_system {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use nix::unistd::geteuid;

    /// Whether it is a folder of this user, and no link to one.
    pub(super) fn is_our_folder(path: &Path) -> bool {
        path.symlink_metadata()
            .is_ok_and(|entry| entry.is_dir() && entry.uid() == geteuid().as_raw())
    }

    /// Whether nobody else may even read the folder.
    pub(super) fn belongs_to_us_alone(folder: &Path) -> bool {
        is_our_folder(folder)
            && folder
                .symlink_metadata()
                .is_ok_and(|entry| entry.mode() & 0o777 | 0o700 == 0o700)
    }

    /// Whether nobody else can replace a folder that Vega makes there: the parent belongs to this user or root, and
    /// others who may write in it may not rename what is not theirs (the sticky bit).
    pub(super) fn is_safe(folder: &Path) -> bool {
        folder.metadata().is_ok_and(|entry| {
            let is_trusted = entry.uid() == geteuid().as_raw() || entry.uid() == 0;
            let others_write = entry.mode() & 0o022 != 0;
            let is_sticky = entry.mode() & 0o1000 != 0;
            entry.is_dir() && is_trusted && (!others_write || is_sticky)
        })
    }

    /// Bytes that are left for files.
    pub(crate) fn room_left(folder: &Path) -> Option<u64> {
        let facts = nix::sys::statvfs::statvfs(folder).ok()?;
        #[expect(clippy::useless_conversion, reason = "the widths differ between systems")]
        Some(u64::from(facts.blocks_available()).saturating_mul(u64::from(facts.fragment_size())))
    }
}

#[cfg(not(unix))]
mod of_system {
    use std::path::Path;

    pub(super) fn is_our_folder(path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|entry| entry.is_dir())
    }

    pub(super) fn belongs_to_us_alone(folder: &Path) -> bool {
        is_our_folder(folder)
    }

    pub(super) fn is_safe(folder: &Path) -> bool {
        folder.is_dir()
    }

    pub(crate) fn room_left(_folder: &Path) -> Option<u64> {
        None
    }
}

pub(crate) use of_system::room_left;
use of_system::{belongs_to_us_alone, is_our_folder, is_safe};

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::settings::DriverSource;

    fn settings(profiles: &Path, environment: &[(&str, &Path)]) -> BrowserSettings {
        BrowserSettings {
            authorize_base: url::Url::parse("http://127.0.0.1").unwrap(),
            driver: DriverSource::Start("chromedriver".into()),
            binary: None,
            headless: true,
            profiles: profiles.into(),
            evidence: profiles.into(),
            human_timeout: Duration::from_secs(1),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        }
    }

    fn folder_with_mode(parent: &Path, name: &str, mode: u32) -> PathBuf {
        let folder = parent.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        folder
    }

    /// A short path; otherwise no socket fits below it.
    fn short() -> TempDir {
        tempfile::Builder::new().prefix("v").tempdir_in("/tmp").unwrap()
    }

    #[test]
    fn what_a_dead_session_left_goes_and_nothing_else() {
        let (place, mine, others) = (short(), PathBuf::from("/mine"), PathBuf::from("/others"));
        let here = |profiles: &Path| settings(profiles, &[("TMPDIR", place.path())]);
        let left = scratch_folder(&here(&mine)).unwrap().keep();
        let socket = left.join("org.chromium.Chromium.Ab12");
        std::fs::create_dir(&socket).unwrap();
        std::fs::write(socket.join("SingletonSocket"), "").unwrap();
        std::fs::write(left.join("shared"), "").unwrap();
        let of_another_installation = scratch_folder(&here(&others)).unwrap();
        std::fs::write(place.path().join("note"), "").unwrap();

        remove_leftovers(&here(&mine));
        assert!(!left.exists());
        assert!(of_another_installation.path().exists() && place.path().join("note").exists());
    }

    /// Somebody who knows the name must not be able to make Vega remove files elsewhere, or deep below.
    #[test]
    fn a_left_over_is_not_gone_into() {
        let (place, precious) = (short(), short());
        let here = settings(Path::new("/mine"), &[("TMPDIR", place.path())]);
        let file = precious.path().join("file");
        std::fs::write(&file, "").unwrap();
        let name = |end: &str| place.path().join(format!("{}{end}", prefix(&here.profiles)));
        symlink(precious.path(), name("link")).unwrap();
        let deep = name("deep").join("org.chromium.x/folder");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("file"), "").unwrap();
        std::fs::create_dir_all(name("deep").join("other")).unwrap();
        let linked = name("deep").join("org.chromium.link");
        symlink(precious.path(), &linked).unwrap();

        remove_leftovers(&here);
        assert!(file.exists(), "what a link led to");
        assert!(deep.join("file").exists() && name("deep").join("other").exists());
        assert!(!linked.exists(), "the link itself is no folder");
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a test says what it leaves out")]
    fn a_left_over_of_another_user_is_left_alone() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not looked at: only root can give a folder to another user");
            return;
        }
        let place = short();
        let here = settings(Path::new("/mine"), &[("TMPDIR", place.path())]);
        let theirs = scratch_folder(&here).unwrap().keep();
        std::os::unix::fs::chown(&theirs, Some(65_534), Some(65_534)).unwrap();
        remove_leftovers(&here);
        assert!(theirs.exists());
    }

    #[rstest]
    #[case::private(0o700, true)]
    #[case::sticky(0o1777, true)]
    #[case::others_may_write(0o777, false)]
    #[case::the_group_may_write(0o770, false)]
    fn a_folder_that_others_may_change_is_not_used(#[case] mode: u32, #[case] is_used: bool) {
        let place = short();
        let folder = folder_with_mode(place.path(), "t", mode);
        let folders = folders(&settings(Path::new("/mine"), &[("TMPDIR", &folder)]));
        assert_eq!(folders.contains(&folder), is_used, "{folders:?}");
    }

    #[test]
    fn the_runtime_folder_comes_first_where_it_is_ours_alone_and_a_long_path_never() {
        let place = short();
        let runtime = folder_with_mode(place.path(), "r", 0o700);
        let open = folder_with_mode(place.path(), "o", 0o755);
        let long = place.path().join("x".repeat(LONGEST));
        std::fs::create_dir(&long).unwrap();
        let first = |runtime: &Path, tmp: &Path| {
            let settings = settings(
                Path::new("/mine"),
                &[("XDG_RUNTIME_DIR", runtime), ("TMPDIR", tmp)],
            );
            folders(&settings)[0].clone()
        };
        assert_eq!(first(&runtime, place.path()), runtime);
        assert_eq!(first(&open, place.path()), place.path());
        assert_eq!(first(&open, &long), Path::new("/tmp"));
        assert_eq!(
            first(&place.path().join("gone"), Path::new("relative")),
            Path::new("/tmp")
        );
    }
}
