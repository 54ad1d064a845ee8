//! `vega token` and `vega status` are answered by a look at what is stored: they wait for nobody who prepares the database, and
//! change nothing. What has to be told or put on record is left to all of Vega.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use vega_tests::{Desk, Ran, Upstox};

/// The name, length and time of each file.
fn traces(folder: &Path) -> Result<Vec<String>> {
    let mut traces = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let about = file.metadata()?;
        traces.push(format!(
            "{} {} {:?}",
            file.path().display(),
            about.len(),
            about.modified()?
        ));
    }
    traces.sort();
    Ok(traces)
}

async fn in_time(desk: &Desk, arguments: &[&str]) -> Result<Ran> {
    let ran = tokio::time::timeout(Duration::from_secs(20), desk.vega(arguments));
    ran.await.with_context(|| format!("vega {arguments:?} waits"))?
}

#[tokio::test]
async fn a_look_waits_for_nobody_and_changes_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let folder = desk.database().parent().context("its folder")?.to_owned();
    let before = traces(&folder)?;

    // Another Vega that migrates the database, say.
    let lock = File::options()
        .write(true)
        .open(desk.database().with_extension("open.lock"))?;
    lock.lock()?;
    let token = in_time(&desk, &["token", "PRIMARY"]).await?;
    assert_eq!((token.code, token.stderr.as_str()), (Some(0), ""), "{token:?}");
    let status = in_time(&desk, &["status"]).await?;
    assert_eq!(status.code, Some(3), "{status:?}");
    assert!(status.stdout.contains("5 of 6 missing"), "{status:?}");
    lock.unlock()?;
    assert_eq!(traces(&folder)?, before, "a look changed something");
    Ok(())
}

#[tokio::test]
async fn what_somebody_changed_is_put_on_record_by_a_look_too() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    desk.sql("UPDATE upstox_tokens SET valid_until = '2026-12-31T00:00:00+00:00'")?;
    let on_record = || desk.audited("row_broken", "", "");
    let before = on_record()?;
    let status = desk.vega(&["status"]).await?;
    assert_eq!(status.code, Some(3), "{status:?}");
    assert_eq!(on_record()?, before + 1, "by the first look");
    let token = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!(token.code, Some(3), "{token:?}");
    assert_eq!(on_record()?, before + 1, "once");
    Ok(())
}

#[tokio::test]
async fn a_token_that_somebody_changed_is_put_on_record_when_it_is_asked_for() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let before = desk.audited("row_broken", "", "")?;
    desk.sql("UPDATE upstox_tokens SET valid_until = '2026-12-31T00:00:00+00:00'")?;
    let token = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!(token.code, Some(3), "{token:?}");
    assert_eq!(desk.audited("row_broken", "", "")?, before + 1);
    Ok(())
}
