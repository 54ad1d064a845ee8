//! Two operators, or one in two terminals: only one `vega` signs in at a time.

use std::time::Duration;

use anyhow::{Context, Result};
use vega_tests::{Desk, Upstox, end_politely, until};

#[tokio::test]
async fn a_second_vega_names_the_first_and_presses_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let first = desk.start(&["--yes"])?;
    let first_id = first.id().context("a living vega")?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");

    // One that signs in as well would wait for the human who is away.
    let second = tokio::time::timeout(Duration::from_mins(1), desk.vega(&["--yes"]))
        .await
        .context("the second vega does not end")??;
    assert_eq!(second.code, Some(11), "{second:?}");
    let named = format!("process {first_id} ");
    assert!(second.stderr.contains(&named), "{named:?} is not in {second:?}");
    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["otp_presses"], &counters["dialogs_opened"]),
        (&1.into(), &1.into()),
        "{counters}"
    );

    // The first was not disturbed: it still waits for the OTP, and ends only when it is asked to.
    end_politely(&first)?;
    let ended = first.wait_with_output().await?;
    let said = String::from_utf8(ended.stderr)?;
    assert_eq!(ended.status.code(), Some(11), "{said}");
    assert!(said.contains("Run `vega` again"), "{said}");
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    Ok(())
}
