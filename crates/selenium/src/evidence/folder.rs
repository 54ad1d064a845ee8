//! The folder of evidence: names that sort by time, files for the owner alone, the newest twenty kept, and which file
//! belongs to a failure. Does not know what the files contain.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use vega_domain::expiry::{from_ist, in_ist};
use vega_domain::failure::FailureReason;
use vega_domain::ids::ApiName;
use vega_domain::ports::LastFailure;

/// How many failures are kept. A picture does not count separately from its record.
const KEPT: usize = 20;
const STAMP: &str = "%Y%m%dT%H%M%S%.3f";
const RECORD: &str = "json";
const PICTURE: &str = "png";

/// A folder of evidence. The program creates it at its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct EvidenceFolder<'a>(pub(super) &'a Path);

/// The file names reserved for one failure.
#[derive(Debug)]
pub(super) struct Places {
    stem: String,
    record: File,
    folder: PathBuf,
}

impl EvidenceFolder<'_> {
    /// Reserves a name that is not in use, for a failure at this time.
    pub(super) fn take(self, at: DateTime<Utc>, api: &ApiName, reason: FailureReason) -> io::Result<Places> {
        // Two failures of one millisecond: the later one takes the next that is free.
        for later in 0..1000 {
            let stem = format!("{}-{api}-{reason}", stamp(at + TimeDelta::milliseconds(later)));
            match create(&self.0.join(format!("{stem}.{RECORD}"))) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                record => {
                    return Ok(Places {
                        stem,
                        record: record?,
                        folder: self.0.to_owned(),
                    });
                }
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// Removes what is older than the newest twenty. `newest` is always among those kept, whatever the clock said.
    /// Other files in the folder stay.
    pub(super) fn prune(self, newest: &str) -> io::Result<()> {
        let files = self.files()?;
        let mut stems: BTreeSet<&str> = files
            .iter()
            .filter_map(|file| Some(Name::of(file)?.stem))
            .collect();
        stems.remove(newest);
        let too_old: BTreeSet<&str> = stems.into_iter().rev().skip(KEPT - 1).collect();
        for file in &files {
            if Name::of(file).is_some_and(|name| too_old.contains(name.stem)) {
                std::fs::remove_file(self.0.join(file))?;
            }
        }
        Ok(())
    }

    /// The record of this failure. The name of a record contains the time at which the failure was seen, however much
    /// later the file was written. That time is after the run began, and before the failure was stored or in the same
    /// second.
    pub(super) fn record_of(self, last: &LastFailure) -> Option<PathBuf> {
        let (earliest, latest) = (stamp(last.run_began), stamp(last.stored + TimeDelta::seconds(1)));
        let files = self.files().ok()?;
        let found = files.iter().filter(|file| {
            Name::of(file).is_some_and(|name| {
                let in_time = *earliest <= *name.stamp && *name.stamp <= *latest;
                name.kind == RECORD
                    && name.api == last.api.as_str()
                    && name.reason == last.failure.reason.code()
                    && in_time
            })
        });
        found.max().map(|file| self.0.join(file))
    }

    /// The names of all records without ending, the newest first, each with whether it has a picture.
    pub(super) fn stems(self) -> io::Result<Vec<(String, bool)>> {
        let files: BTreeSet<String> = self.files()?.into_iter().collect();
        let named = files.iter().rev().filter_map(|file| Name::of(file));
        let records = named.filter(|name| name.kind == RECORD);
        Ok(records
            .map(|name| {
                let picture = format!("{}.{PICTURE}", name.stem);
                (name.stem.to_owned(), files.contains(&picture))
            })
            .collect())
    }

    /// The file of the record with this name.
    pub(super) fn record_at(self, stem: &str) -> PathBuf {
        self.0.join(format!("{stem}.{RECORD}"))
    }

    /// The picture with this name, if there is one. A name that is no name of evidence never leads to a file.
    pub(super) fn picture_of(self, stem: &str) -> Option<PathBuf> {
        let file = format!("{stem}.{PICTURE}");
        let is_there =
            Name::of(&file).is_some_and(|name| name.stem == stem) && self.files().ok()?.contains(&file);
        is_there.then(|| self.0.join(file))
    }

    fn files(self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(self.0)?.flatten();
        Ok(entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect())
    }
}

impl Places {
    /// The name without an ending.
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// Keeps a picture; returns its name.
    pub(super) fn picture(&self, png: &[u8]) -> io::Result<String> {
        let name = format!("{}.{PICTURE}", self.stem);
        create(&self.folder.join(&name))?.write_all(png)?;
        Ok(name)
    }

    /// Writes the record.
    pub(super) fn record(&mut self, json: &[u8]) -> io::Result<()> {
        self.record.write_all(json)
    }
}

/// The parts of a name of evidence: `20261122T084501.123-PRIMARY-otp_timeout.json`.
struct Name<'a> {
    stem: &'a str,
    stamp: &'a str,
    api: &'a str,
    reason: &'a str,
    kind: &'a str,
}

impl<'a> Name<'a> {
    fn of(file: &'a str) -> Option<Self> {
        let (stem, kind) = file.rsplit_once('.')?;
        let [stamp, api, reason] = stem.split('-').collect::<Vec<_>>().try_into().ok()?;
        // A reason may be one of another version of Vega.
        let is_ours = [RECORD, PICTURE].contains(&kind)
            && is_stamp(stamp)
            && ApiName::new(api).is_ok_and(|name| name.as_str() == api)
            && !reason.is_empty()
            && reason.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        is_ours.then_some(Self {
            stem,
            stamp,
            api,
            reason,
            kind,
        })
    }
}

/// Time, API and reason of the failure that has this name.
pub(super) fn told_by(stem: &str) -> Option<(DateTime<Utc>, ApiName, String)> {
    let file = format!("{stem}.{RECORD}");
    let name = Name::of(&file)?;
    let at = NaiveDateTime::parse_from_str(name.stamp, STAMP).ok()?;
    Some((
        from_ist(at)?,
        ApiName::new(name.api).ok()?,
        name.reason.to_owned(),
    ))
}

/// The time of India, which is never set back, to the millisecond.
fn stamp(at: DateTime<Utc>) -> String {
    in_ist(at).format(STAMP).to_string()
}

fn is_stamp(text: &str) -> bool {
    const SHAPE: &[u8] = b"00000000T000000.000";
    text.len() == SHAPE.len()
        && text.bytes().zip(SHAPE).all(|(is, &should)| match should {
            b'0' => is.is_ascii_digit(),
            other => is == other,
        })
}

/// Creates a file for the owner alone; fails if it exists.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tempfile::TempDir;
    use vega_domain::failure::Failure;

    use super::*;

    const REASON: FailureReason = FailureReason::OtpTimeout;

    fn at(second: i64) -> DateTime<Utc> {
        let morning = DateTime::parse_from_rfc3339("2026-11-22T08:45:01.123+05:30").unwrap();
        morning.to_utc() + TimeDelta::seconds(second)
    }

    fn api(name: &str) -> ApiName {
        ApiName::new(name).unwrap()
    }

    fn keep(folder: &TempDir, at: DateTime<Utc>, picture: bool) -> String {
        let mut places = EvidenceFolder(folder.path())
            .take(at, &api("PRIMARY"), REASON)
            .unwrap();
        if picture {
            places.picture(b"png").unwrap();
        }
        places.record(b"{}").unwrap();
        EvidenceFolder(folder.path()).prune(places.stem()).unwrap();
        places.stem().to_owned()
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let mut names = EvidenceFolder(folder.path()).files().unwrap();
        names.sort();
        names
    }

    #[test]
    fn a_name_tells_time_api_and_reason_and_is_never_taken_twice() {
        let folder = tempfile::tempdir().unwrap();
        keep(&folder, at(0), true);
        keep(&folder, at(0), false);
        assert_eq!(
            names(&folder),
            [
                "20261122T084501.123-PRIMARY-otp_timeout.json",
                "20261122T084501.123-PRIMARY-otp_timeout.png",
                "20261122T084501.124-PRIMARY-otp_timeout.json",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_what_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        keep(&folder, at(0), true);
        for name in names(&folder) {
            let mode = folder.path().join(&name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("20261122T084501.123-PRIMARY-otp_timeout.png");
        std::fs::write(&taken, "somebody's").unwrap();
        let places = EvidenceFolder(folder.path())
            .take(at(0), &api("PRIMARY"), REASON)
            .unwrap();
        assert_eq!(
            places.picture(b"png").unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read(taken).unwrap(), b"somebody's");
    }

    #[test]
    fn the_newest_twenty_are_kept_with_their_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let stems: Vec<String> = (0..25)
            .map(|second| keep(&folder, at(second), second % 2 == 0))
            .collect();
        let expected: Vec<String> = stems[5..]
            .iter()
            .zip(5..)
            .flat_map(|(stem, second)| {
                let picture = (second % 2 == 0).then(|| format!("{stem}.png"));
                [Some(format!("{stem}.json")), picture]
            })
            .flatten()
            .collect();
        assert_eq!(names(&folder), expected);
    }

    /// A picture whose record could not be written is removed like any other.
    #[test]
    fn a_lone_picture_grows_old_too() {
        let folder = tempfile::tempdir().unwrap();
        let lone = folder.path().join("20260101T084501.123-PRIMARY-otp_timeout.png");
        std::fs::write(&lone, "").unwrap();
        for second in 0..20 {
            keep(&folder, at(second), false);
        }
        assert!(!lone.exists());
    }

    #[test]
    fn what_was_just_kept_stays_although_the_clock_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        for second in 0..20 {
            keep(&folder, at(second), false);
        }
        let newest = keep(&folder, at(-3600), false);
        assert_eq!(names(&folder).len(), 20);
        assert_eq!(names(&folder)[0], format!("{newest}.json"));
    }

    #[rstest]
    #[case("notes.txt")]
    #[case("20260101T084501.123-PRIMARY-otp_timeout.txt")]
    #[case("20260101T084501.123-PRIMARY-otp_timeout")]
    #[case("20260101T084501-PRIMARY-otp_timeout.json")]
    #[case("20260101T084501.123-primary-otp_timeout.json")]
    #[case("20260101T084501.123-PRIMARY-otp_timeout-mine.json")]
    #[case("20260101T084501.123-PRIMARY-.json")]
    #[case("X0260101T084501.123-PRIMARY-otp_timeout.json")]
    fn other_files_of_the_folder_stay(#[case] name: &str) {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join(name);
        std::fs::write(&other, "").unwrap();
        for second in 0..25 {
            keep(&folder, at(second), false);
        }
        assert!(other.exists());
        assert_eq!(names(&folder).len(), 21);
    }

    #[test]
    fn a_failure_is_found_by_api_reason_and_run() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, reason, began, stored| {
            EvidenceFolder(folder.path()).record_of(&LastFailure {
                api: api(name),
                run_began: at(began),
                stored: at(stored),
                failure: Failure::new(reason, "words"),
                attempt: None,
            })
        };
        assert_eq!(of("PRIMARY", REASON, -10, 1), None, "an empty folder");
        keep(&folder, at(-30), true);
        let newer = keep(&folder, at(0), true);
        keep(&folder, at(3600), true);
        let expected = folder.path().join(format!("{newer}.json"));
        assert_eq!(of("PRIMARY", REASON, -10, 0), Some(expected.clone()));
        assert_eq!(
            of("PRIMARY", REASON, -60, 1),
            Some(expected.clone()),
            "the newest"
        );
        assert_eq!(
            of("PRIMARY", REASON, -10, 900),
            Some(expected),
            "a run that waited"
        );
        assert_eq!(of("PRIMARY", REASON, 10, 900), None, "of a run before");
        assert_eq!(of("PRIMARY", FailureReason::PinTimeout, -10, 1), None);
        assert_eq!(of("PRIMAR", REASON, -10, 1), None);
        assert_eq!(
            EvidenceFolder(&folder.path().join("away")).record_of(&LastFailure {
                api: api("PRIMARY"),
                run_began: at(-10),
                stored: at(1),
                failure: Failure::new(REASON, ""),
                attempt: None,
            }),
            None
        );
    }
}
