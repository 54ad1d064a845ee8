//! ChromeDriver behind launchers of all kinds: whatever starts it, a second after the end of Vega nothing of driver and
//! browser lives, however Vega ended.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use vega_tests::{Desk, Stop, Upstox, end_at_once, until};

/// How a launcher leads to the driver.
#[derive(Debug, Clone, Copy)]
enum Launcher {
    /// A child of a script that waits for it.
    Waits,
    /// Its parent has ended: nobody's child any more.
    DoubleFork,
    /// In a session of its own.
    NewSession,
    /// Both, and a script in between that waits.
    Daemon,
    /// By a program with another effective group, for which the kernel forgets the signal at the death of the parent.
    SetGroup,
}

impl Launcher {
    fn script(self) -> &'static str {
        match self {
            Self::Waits => "chromedriver \"$@\" &\nwait $!\n",
            Self::DoubleFork => "(chromedriver \"$@\" &) &\nsleep 1\n",
            Self::NewSession => "setsid chromedriver \"$@\" &\nwait $!\n",
            Self::Daemon => "setsid sh -c 'chromedriver \"$@\" & wait $!' sh \"$@\" &\nsleep 1\n",
            Self::SetGroup => "\"$0.env\" chromedriver \"$@\" &\nwait $!\n",
        }
    }

    fn put_at(self, desk: &mut Desk) -> Result<()> {
        let program = desk.path().join("launcher");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && exec chromedriver --version\n{}",
            self.script()
        );
        // A shell writes it: while this process had it open for writing, it could not be started.
        let written = std::process::Command::new("/bin/sh")
            .args([
                "-c",
                "printf '%s' \"$2\" > \"$1\" && cp /usr/bin/env \"$1.env\"",
                "sh",
            ])
            .arg(&program)
            .arg(script)
            .status()?;
        ensure!(written.success(), "the launcher cannot be written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700))?;
        if matches!(self, Self::SetGroup) {
            let other = desk.path().join("launcher.env");
            // Only root may give a file to another group; elsewhere it is the program's own, and the story a plain one.
            let _ = std::os::unix::fs::chown(&other, None, Some(65_534));
            std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o2_755))?;
        }
        desk.set("VEGA__BROWSER__CHROMEDRIVER", &program.display().to_string());
        Ok(())
    }
}

/// Whether no driver and no browser of this desk lives any more, a second from now at the latest, and then nothing at all:
/// those that kept them still remove the profile.
async fn gone_in_a_second(desk: &Desk) -> bool {
    let gone = async {
        while desk.processes().iter().any(|name| name != "browser-keeper") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), gone).await.is_ok()
        && until(async || desk.processes().is_empty()).await
}

#[rstest]
#[case::waits(Launcher::Waits)]
#[case::double_fork(Launcher::DoubleFork)]
#[case::new_session(Launcher::NewSession)]
#[case::daemon(Launcher::Daemon)]
#[case::set_group(Launcher::SetGroup)]
#[tokio::test]
async fn a_killed_vega_leaves_neither_driver_nor_browser(#[case] launcher: Launcher) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    launcher.put_at(&mut desk)?;
    upstox.human_at_the_desk(false).await?;
    let mut vega = desk.start(&["--yes"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let names = desk.processes();
    assert!(names.iter().any(|name| name == "chromedriver"), "{names:?}");

    end_at_once(&vega)?;
    vega.wait().await?;
    assert!(gone_in_a_second(&desk).await, "left: {:?}", desk.processes());
    let profiles: Vec<_> = std::fs::read_dir(desk.browser_profiles())?.collect();
    assert!(
        profiles.is_empty(),
        "a log of the browser would be in {profiles:?}"
    );
    Ok(())
}

/// Whoever kills one of the processes that keep the browser ends the browser, and not the hold on it.
#[rstest]
#[case::the_first(0)]
#[case::the_second(1)]
#[tokio::test]
async fn a_killed_keeper_leaves_neither_driver_nor_browser(#[case] which: usize) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    Launcher::Daemon.put_at(&mut desk)?;
    upstox.human_at_the_desk(false).await?;
    let vega = desk.start(&["--yes", "--json", "PRIMARY"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let mut keepers = desk.process_ids("browser-keeper");
    keepers.sort_unstable();
    let keeper = keepers.get(which).context("two keepers")?;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(*keeper),
        nix::sys::signal::Signal::SIGKILL,
    )?;
    let left = async || desk.processes().iter().all(|name| name == "vega");
    assert!(until(left).await, "left: {:?}", desk.processes());
    let ran = vega_tests::Ran::to_its_end(vega).await?;
    assert_eq!(ran.report()?.reason("PRIMARY")?, "browser_gone", "{ran:?}");
    Ok(())
}

#[rstest]
#[case::waits(Launcher::Waits)]
#[case::daemon(Launcher::Daemon)]
#[tokio::test]
async fn a_launcher_is_no_hindrance_and_goes_with_the_run(#[case] launcher: Launcher) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    launcher.put_at(&mut desk)?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(gone_in_a_second(&desk).await, "left: {:?}", desk.processes());
    Ok(())
}

#[tokio::test]
async fn ctrl_c_leaves_nothing_behind_a_launcher() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    Launcher::Daemon.put_at(&mut desk)?;
    upstox.human_at_the_desk(false).await?;
    let mut vega = desk.start(&["--yes"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    Stop::Interrupt.ask(&vega)?;
    assert_eq!(vega.wait().await?.code(), Some(11));
    assert!(gone_in_a_second(&desk).await, "left: {:?}", desk.processes());
    Ok(())
}

#[tokio::test]
async fn a_driver_that_crashes_behind_a_launcher_takes_its_browser_with_it() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    Launcher::NewSession.put_at(&mut desk)?;
    upstox.human_at_the_desk(false).await?;
    let vega = desk.start(&["--yes", "--json", "PRIMARY"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    for driver in desk.process_ids("chromedriver") {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(driver),
            nix::sys::signal::Signal::SIGSEGV,
        )?;
    }
    let ran = vega_tests::Ran::to_its_end(vega).await?;
    assert_eq!(ran.report()?.reason("PRIMARY")?, "browser_gone", "{ran:?}");
    assert!(gone_in_a_second(&desk).await, "left: {:?}", desk.processes());
    Ok(())
}
