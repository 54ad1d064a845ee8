//! What `vega status` and `vega token` say in a second terminal while a run is under way, while another Vega is busy with
//! sign-ins and has no run, and after the process of a run was killed. Whoever reads them must not be sent to begin a run
//! that would only be refused.

use std::fs::File;

use anyhow::Result;
use vega_tests::{Desk, Ran, Upstox, end_at_once};

fn headline(ran: &Ran) -> &str {
    ran.stdout.lines().next().unwrap_or_default()
}

/// Holds the sign-in lease of this desk, as a process does that finishes what a dead one left, say.
fn hold_lease(desk: &Desk) -> Result<File> {
    let file = File::open(desk.database().with_extension("lease.lock"))?;
    file.try_lock()?;
    Ok(file)
}

#[tokio::test]
async fn a_second_terminal_is_told_of_the_run_and_not_to_begin_one() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let before = desk.vega(&["status"]).await?;
    assert!(headline(&before).ends_with("`vega` signs in."), "{before:?}");

    // Two of six, so that a program may ask for one that the run leaves out.
    let mut vega = desk.start(&["--yes", "PRIMARY", "WEBSOCKET1"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let status = desk.vega(&["status"]).await?;
    assert!(headline(&status).ends_with("A run is under way."), "{status:?}");
    assert!(
        status.stderr.contains("PRIMARY is being signed in for"),
        "{status:?}"
    );
    for (api, words) in [("PRIMARY", "signs in for it"), ("OPTIONCHAIN1", "leaves it out")] {
        let token = desk.vega(&["token", api]).await?;
        assert_eq!(token.code, Some(3), "{token:?}");
        assert!(token.stderr.contains(words), "{token:?}");
        assert!(!token.stderr.contains("Run `vega` to sign in"), "{token:?}");
    }
    let verified = desk.vega(&["verify"]).await?;
    assert!(
        headline(&verified).ends_with("A run is under way."),
        "{verified:?}"
    );
    for command in ["status", "verify"] {
        let report = desk.vega(&[command, "--json"]).await?.json()?;
        assert_eq!(report["run"]["under_way"], true, "{report}");
    }
    let second = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(second.code, Some(11), "{second:?}");
    let words = second.json()?["verdict"]["words"].to_string();
    assert!(words.contains("A run is under way."), "{words}");

    end_at_once(&vega)?;
    vega.wait().await?;
    let status = desk.vega(&["status"]).await?;
    assert!(
        headline(&status).ends_with("A run was cut off; `vega` goes on with it."),
        "{status:?}"
    );
    assert!(
        status.stderr.contains("was cut off: 0 of 2 tokens are there"),
        "{status:?}"
    );
    let report = desk.vega(&["status", "--json"]).await?.json()?;
    assert_eq!(
        report["run"]["under_way"], false,
        "nobody carries it out: {report}"
    );
    Ok(())
}

#[tokio::test]
async fn a_second_terminal_is_told_who_is_busy_with_sign_ins_without_a_run() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let lease = hold_lease(&desk)?;
    let status = desk.vega(&["status"]).await?;
    let words = "Another Vega is busy with sign-ins: process ";
    assert!(
        headline(&status).ends_with("Another Vega is busy with sign-ins."),
        "{status:?}"
    );
    assert!(status.stderr.contains(words), "{status:?}");
    let token = desk.vega(&["token", "WEBSOCKET1"]).await?;
    assert_eq!(token.code, Some(3), "{token:?}");
    assert!(token.stderr.contains(words), "{token:?}");
    upstox.revoke_tokens().await?;
    let rejected = desk.vega(&["token", "PRIMARY", "--rejected", "1"]).await?;
    assert_eq!(rejected.code, Some(3), "{rejected:?}");
    assert!(
        rejected.stderr.contains("dead. ") && rejected.stderr.contains(words),
        "{rejected:?}"
    );

    drop(lease);
    let status = desk.vega(&["status"]).await?;
    assert!(headline(&status).ends_with("`vega` signs in."), "{status:?}");
    Ok(())
}
