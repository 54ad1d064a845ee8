//! Names the program at the other end of a local socket: its systemd unit, else its executable, as the kernel tells. A name for people, and
//! for what the operator stops by it; it permits nothing.

use std::path::Path;

/// The name of the program with this process id, as far as the kernel tells it now.
pub(crate) fn program_of(pid: i32) -> Option<String> {
    let process = Path::new("/proc").join(pid.to_string());
    let cgroup = std::fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    unit_in(&cgroup).or_else(|| {
        // Of another user's process it is not told.
        let program = std::fs::read_link(process.join("exe")).ok()?;
        let name = program.file_name()?.to_string_lossy().into_owned();
        Some(name.trim_end_matches(" (deleted)").to_owned())
    })
}

/// The innermost service of these control groups. A user's manager is one for everything that user starts.
fn unit_in(cgroup: &str) -> Option<String> {
    let paths = cgroup.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_systemds = (number == "0" && controllers.is_empty()) || controllers == "name=systemd";
        is_systemds.then_some(path)
    });
    let mut units = paths.flat_map(|path| path.rsplit('/'));
    let unit = units.find(|part| part.ends_with(".service") && !part.starts_with("user@"));
    unit.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::system_unit("0::/system.slice/strategy.service\n", Some("strategy.service"))]
    #[case::user_unit(
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/strategy-a.service\n",
        Some("strategy-a.service")
    )]
    #[case::instance("0::/system.slice/system-bot.slice/bot@a.service\n", Some("bot@a.service"))]
    #[case::below_a_unit("0::/system.slice/strategy.service/worker\n", Some("strategy.service"))]
    #[case::terminal(
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/gnome-terminal.scope\n",
        None
    )]
    #[case::session("0::/user.slice/user-1000.slice/session-3.scope\n", None)]
    #[case::container("0::/\n", None)]
    #[case::first_version(
        "12:cpuset:/x.service\n1:name=systemd:/system.slice/strategy.service\n0::/\n",
        Some("strategy.service")
    )]
    #[case::nothing("", None)]
    #[case::no_cgroup("strategy.service", None)]
    fn a_unit_is_found_in_its_control_groups(#[case] cgroup: &str, #[case] unit: Option<&str>) {
        assert_eq!(unit_in(cgroup).as_deref(), unit);
    }

    #[test]
    fn this_test_is_known_by_its_executable_or_its_unit() {
        let own = i32::try_from(std::process::id()).unwrap();
        let cgroup = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = std::env::current_exe().unwrap();
        let name = name.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(program_of(own), unit_in(&cgroup).or(Some(name)));
        assert_eq!(program_of(-1), None);
    }
}
