//! Explains why a browser or its driver did not start: what is known, in their own words, and what to do about each
//! cause. A cause is named only if it was reported or can be seen; where it is guessed, no advice is given that harms
//! when the guess is wrong.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::settings::BrowserSettings;

/// A folder with less room than this is mentioned.
#[cfg(unix)]
const LITTLE_ROOM: u64 = 64 * 1024 * 1024;

/// The advice for a driver when nothing better is known.
pub(crate) const BY_HAND: &str = "Start it by hand to see what it says, and whether it is a ChromeDriver. On Debian: apt install \
                                  --reinstall chromium-driver";

/// What Chromium prints when an administrator forbids what a driver needs. It then runs on and answers nobody.
pub(crate) const FORBIDDEN: &[&str] = &[
    "disallowed by the system admin",
    "disallowed by system admin",
    "remote debugging is disallowed",
];

/// Messages of a missing display.
const NO_DISPLAY: &[&str] = &[
    "missing x server",
    "cannot open display",
    "unable to open x display",
    "could not connect to display",
    "failed to connect to wayland display",
    "the platform failed to initialize",
];

/// Signs of a line that names a cause.
const CAUSES: &[&str] = &[
    "disallowed by the system admin",
    "disallowed by system admin",
    "remote debugging is disallowed",
    "missing x server",
    "cannot open display",
    "unable to open x display",
    "could not connect to display",
    "failed to connect to wayland display",
    "error while loading shared libraries",
    "exec format error",
    "no space left",
    "permission denied",
    "read-only file system",
    "too many open files",
    "no usable sandbox",
    "profile appears to be in use",
    "snap-confine",
    "cannot create user data directory",
];

/// Complaints that Chromium prints on many computers although it works.
const NOISE: &[&str] = &[
    "failed to connect to the bus",
    "write: broken pipe",
    "gtk-message",
    "gcm",
    "vaapi",
    "vulkan",
    "libgl",
    "fontconfig",
    "unexpected operator",
];

/// How many lines are reported.
const TOLD: usize = 2;

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// `None`: it is unknown, or the program did not end.
    pub(crate) code: Option<i32>,
    /// The last lines of its error output.
    pub(crate) words: Vec<String>,
}

impl Ended {
    /// Whether the file cannot be run at all: another start would have the same result.
    pub(crate) fn is_no_program(&self) -> bool {
        matches!(self.code, Some(126 | 127))
    }

    fn says(&self, sign: &str) -> bool {
        self.words.iter().any(|line| line.to_lowercase().contains(sign))
    }

    /// "ended with exit code 21 and said “…”"
    pub(crate) fn told(&self) -> String {
        let how = match self.code {
            None => "did not start".to_owned(),
            // As a shell tells of a signal, and as keepers do.
            Some(code @ 129..=192) => format!("was ended by {}", signal(code - 128)),
            Some(code) => format!("ended with exit code {code}"),
        };
        match &*self.telling() {
            [] => format!("{how} and said nothing"),
            lines => format!("{how} and said \u{201c}{}\u{201d}", lines.join(" ")),
        }
    }

    /// The most helpful lines: those that name a cause; otherwise the last ones, without those that every browser
    /// prints.
    fn telling(&self) -> Vec<&str> {
        let lines = || self.words.iter().map(String::as_str);
        let is_of = |signs: &'static [&'static str]| {
            move |line: &&str| {
                let line = line.to_lowercase();
                signs.iter().any(|sign| line.contains(sign))
            }
        };
        let causes: Vec<&str> = lines().filter(is_of(CAUSES)).take(1).collect();
        if !causes.is_empty() {
            return causes;
        }
        let own: Vec<&str> = lines().filter(|line| !is_of(NOISE)(line)).collect();
        let all = if own.is_empty() { lines().collect() } else { own };
        all[all.len().saturating_sub(TOLD)..].to_vec()
    }
}

/// The program that did not start.
pub(crate) enum Program<'p> {
    Driver(&'p Path),
    Browser(&'p BrowserSettings),
}

/// What happened, and what to do.
pub(crate) fn explained(program: &Program<'_>, ended: &Ended) -> String {
    let (path, what) = match program {
        Program::Driver(path) => (Some(*path), "ChromeDriver"),
        Program::Browser(settings) => (settings.binary.as_deref(), "Chromium"),
    };
    let name = path.map_or_else(|| what.to_owned(), |path| path.display().to_string());
    let told = ended.told();
    let advice = advice(program, path, &name, ended);
    let facts = match program {
        Program::Driver(_) => String::new(),
        Program::Browser(settings) => little_room(settings),
    };
    format!("{name} {told}.{facts} {advice}")
}

fn advice(program: &Program<'_>, path: Option<&Path>, name: &str, ended: &Ended) -> String {
    if ended.says("error while loading shared libraries") {
        return format!(
            "It lacks that library: `ldd {name}` shows all that are missing. On Debian: apt install --reinstall {}",
            package(program)
        );
    }
    if ended.says("exec format error") || path.is_some_and(is_for_another_machine) {
        return "It is made for another kind of machine, or is no program. Install the one for this machine (`uname -m`)".into();
    }
    if ended.says("permission denied") && ended.code == Some(126) {
        return "It may not be executed: look at its mode (ls -l) and whether its file system is mounted with noexec".into();
    }
    let Program::Browser(settings) = program else {
        return BY_HAND.into();
    };
    if FORBIDDEN.iter().any(|sign| ended.says(sign)) {
        return "A policy of this computer forbids that a program drives the browser (chrome://policy shows it: \
                RemoteDebuggingAllowed, DeveloperToolsAvailability). Whoever manages the computer can allow it; the \
                own-browser route works without it"
            .into();
    }
    if let Some(display) = lost_display(settings, ended) {
        return format!(
            "No window can open on {display}. Run Vega in the desktop session that the window shall open in; the \
             own-browser route needs no display here"
        );
    }
    if ended.says("no space left") || ended.says("enospc") {
        return "A disk is full: `df -h` shows which one".into();
    }
    if ended.says("no usable sandbox") {
        return "This system does not let it make its sandbox: see what the text says about user namespaces (on Ubuntu an \
                AppArmor profile for the browser, which its own package brings). Leave the sandbox on"
            .into();
    }
    if path.is_some_and(is_of_snap) {
        return "It is a snap, and a snap may not use Vega's private folder. Install a browser and driver that are no snap \
                (Debian's chromium and chromium-driver, or Google Chrome with its ChromeDriver) and name them by \
                VEGA__BROWSER__BINARY and VEGA__BROWSER__CHROMEDRIVER, or use the own-browser route"
            .into();
    }
    if ended.code == Some(21) {
        return format!(
            "With 21 Chromium says that another one uses its profile. Vega gives it a fresh one, so look whether {name} is a \
             launcher that names a profile of its own (--user-data-dir)"
        );
    }
    format!("Start {name} by hand to see more; the own-browser route needs neither browser nor driver")
}

/// Whether the file is machine code for another kind of processor. Such a file does not fail to start: it is taken for
/// a shell script, and the shell prints misleading errors.
fn is_for_another_machine(program: &Path) -> bool {
    let kind = |path: &Path| {
        let mut header = [0; 20];
        std::fs::File::open(path).ok()?.read_exact(&mut header).ok()?;
        header
            .starts_with(b"\x7fELF")
            .then(|| [header[4], header[18], header[19]])
    };
    let ours = std::env::current_exe().ok().and_then(|path| kind(&path));
    ours.is_some() && kind(program).is_some_and(|theirs| Some(theirs) != ours)
}

fn package(program: &Program<'_>) -> &'static str {
    match program {
        Program::Driver(_) => "chromium-driver",
        Program::Browser(_) => "chromium",
    }
}

/// The display that the browser was given, if the browser reports that it could not use one.
fn lost_display(settings: &BrowserSettings, ended: &Ended) -> Option<String> {
    if settings.headless || !NO_DISPLAY.iter().any(|sign| ended.says(sign)) {
        return None;
    }
    let given: Vec<String> = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .filter_map(|wanted| {
            let mut variables = settings.environment.iter();
            let (_, value) = variables.find(|(name, value)| name == wanted && !value.is_empty())?;
            Some(format!("{wanted}={}", value.display()))
        })
        .collect();
    Some(if given.is_empty() {
        "no display".into()
    } else {
        given.join(" and ")
    })
}

/// Whether the program is a snap: one of snap's own names, a link to snap itself, or a launcher script that starts one.
fn is_of_snap(program: &Path) -> bool {
    const LONGEST_SCRIPT: u64 = 64 * 1024;
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let is_there = |path: &Path| path.starts_with("/snap") || path.starts_with("/var/lib/snapd");
    if is_there(program) || is_there(&real) || real.file_name() == Some(OsStr::new("snap")) {
        return true;
    }
    let is_short = real.metadata().is_ok_and(|file| file.len() <= LONGEST_SCRIPT);
    is_short
        && std::fs::read(&real)
            .is_ok_and(|script| script.starts_with(b"#!") && contains(&script, b"/snap/bin/"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether disks are full, as far as that can be seen.
#[cfg(unix)]
fn little_room(settings: &BrowserSettings) -> String {
    let mut folders: Vec<PathBuf> = vec![settings.profiles.clone()];
    folders.extend(crate::scratch::folders(settings));
    folders.dedup();
    folders
        .iter()
        .filter_map(|folder| {
            let left = crate::scratch::room_left(folder)?;
            (left < LITTLE_ROOM).then(|| format!(" {} has only {} MB left.", folder.display(), left >> 20))
        })
        .collect()
}

#[cfg(not(unix))]
fn little_room(_settings: &BrowserSettings) -> String {
    String::new()
}

#[cfg(unix)]
fn signal(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

#[cfg(not(unix))]
fn signal(number: i32) -> String {
    format!("signal {number}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::settings::DriverSource;

    fn settings(binary: &str, headless: bool) -> BrowserSettings {
        BrowserSettings {
            authorize_base: url::Url::parse("http://127.0.0.1").unwrap(),
            driver: DriverSource::Start("chromedriver".into()),
            binary: Some(binary.into()),
            headless,
            profiles: "/nowhere".into(),
            evidence: "/nowhere".into(),
            human_timeout: Duration::from_secs(1),
            environment: vec![("DISPLAY".into(), ":77".into())],
        }
    }

    fn ended(code: Option<i32>, words: &[&str]) -> Ended {
        Ended {
            code,
            words: words.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    /// The expected message: the cause in the browser's own words, and an advice that fits it.
    #[rstest]
    #[case::display(Some(1), &["Missing X server or $DISPLAY", "The platform failed to initialize.  Exiting.",
        "Failed to connect to the bus: Could not parse server address", "write: Broken pipe (32)"],
        &["exit code 1", "Missing X server", "No window can open on DISPLAY=:77", "own-browser"])]
    #[case::in_use(Some(21), &["Opening in existing browser session."],
        &["exit code 21", "Opening in existing", "--user-data-dir"])]
    #[case::policy(None, &["DevTools remote debugging is disallowed by the system admin."],
        &["did not start", "disallowed", "RemoteDebuggingAllowed", "own-browser"])]
    #[case::library(Some(127), &["chromium: error while loading shared libraries: libnss3.so: cannot open"],
        &["exit code 127", "libnss3.so", "ldd"])]
    #[case::full(Some(1), &["write failed: No space left on device"], &["No space left", "df -h"])]
    #[case::sandbox(Some(134), &["No usable sandbox! If you are running on Ubuntu 23.10+"],
        &["SIGABRT", "No usable sandbox", "Leave the sandbox on"])]
    #[case::crash(Some(139), &[], &["SIGSEGV", "said nothing", "by hand"])]
    #[case::noise_alone(Some(1), &["Failed to connect to the bus: x"], &["Failed to connect to the bus", "by hand"])]
    #[case::two_lines(Some(3), &["one", "two", "three"], &["\u{201c}two three\u{201d}"])]
    #[case::an_unnamed_signal(Some(128 + 40), &[], &["signal 40"])]
    fn each_cause_is_told_in_its_own_words(
        #[case] code: Option<i32>,
        #[case] words: &[&str],
        #[case] told: &[&str],
    ) {
        let settings = settings("/usr/bin/chromium", false);
        let said = explained(&Program::Browser(&settings), &ended(code, words));
        for part in told {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(said.chars().count() <= 700, "it is not cut: {said}");
        assert!(!said.contains("--no-sandbox"), "no advice that harms: {said}");
    }

    /// A browser without a window does not need a display.
    #[test]
    fn without_a_window_no_display_is_blamed() {
        let settings = settings("/usr/bin/chromium", true);
        let said = explained(
            &Program::Browser(&settings),
            &ended(Some(1), &["Missing X server or $DISPLAY"]),
        );
        assert!(!said.contains("No window can open"), "{said}");
    }

    #[cfg(unix)]
    #[rstest]
    #[case::its_own_name("/snap/bin/chromium", None, true)]
    #[case::a_launcher("launcher", Some("#!/bin/sh\nexec /snap/bin/chromium \"$@\"\n"), true)]
    #[case::another_launcher(
        "launcher",
        Some("#!/bin/sh\nexec /usr/lib/chromium/chromium \"$@\"\n"),
        false
    )]
    #[case::no_script("launcher", Some("/snap/bin/chromium"), false)]
    #[case::gone("launcher", None, false)]
    fn a_snap_is_known(#[case] program: &str, #[case] script: Option<&str>, #[case] is_one: bool) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join(program);
        if let Some(script) = script {
            std::fs::write(&program, script).unwrap();
        }
        assert_eq!(is_of_snap(&program), is_one);
        let settings = settings(&program.display().to_string(), false);
        let said = explained(
            &Program::Browser(&settings),
            &ended(Some(1), &["cannot create a profile"]),
        );
        assert_eq!(said.contains("It is a snap"), is_one, "{said}");
    }
}
