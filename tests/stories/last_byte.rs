//! A token that does not arrive whole is told, and a shell that evaluates one has it, or fails.

use anyhow::Result;
use vega_tests::{Desk, Ran, Upstox};

/// What leads from `vega` to a place that takes nothing.
fn to(place: &str) -> Vec<String> {
    ["sh", "-c", &format!("\"$@\" {place}"), "sh"]
        .map(str::to_owned)
        .into()
}

#[tokio::test]
async fn a_token_that_is_cut_off_is_no_success() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    // Also where the answer of a whole morning has no place: what was made is stored.
    let morning = desk
        .vega_under(&to("> /dev/full"), &["PRIMARY", "--yes", "--json"])
        .await?;
    assert_eq!(morning.code, Some(1), "{morning:?}");
    assert!(
        morning.stderr.contains("could not be written to stdout"),
        "{morning:?}"
    );
    assert!(desk.token("PRIMARY").await?.starts_with("eyJ"));

    for format in ["raw", "json", "env", "header"] {
        let line = ["token", "primary", "--format", format];
        let cut_off = desk.vega_under(&to("> /dev/full"), &line).await?;
        assert_eq!(cut_off.code, Some(1), "{format}: {cut_off:?}");
        assert!(cut_off.stderr.contains("No space left on device"), "{cut_off:?}");
        assert!(!cut_off.stderr.contains("eyJ"), "{cut_off:?}");
        let unread = desk
            .vega_under(&to("| true; exit \"${PIPESTATUS:-0}\""), &line)
            .await?;
        assert_eq!((unread.code, &*unread.stderr), (Some(0), ""), "{format}");
    }
    let status = desk.vega_under(&to("| head -1"), &["status"]).await?;
    assert!(
        status.stdout.starts_with("5 of 6 missing: WEBSOCKET1, "),
        "{status:?}"
    );
    assert!(
        status.stdout.contains("The others are ready until 03:30 IST."),
        "{status:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_shell_exports_the_token_for_what_it_starts() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["PRIMARY", "--yes"]).await?.code, Some(0));
    let token = desk.token("PRIMARY").await?;
    let script = "set -e; PATH=/usr/bin:/bin; vega=$1; \
                  eval \"$(\"$vega\" token PRIMARY --format env)\"; printenv UPSTOX_ACCESS_TOKEN; \
                  eval \"$(\"$vega\" token WEBSOCKET1 --format env)\" || echo \"failed: ${UPSTOX_ACCESS_TOKEN-unset}\"; \
                  eval \"$(\"$vega\" token WEBSOCKET1 --format env)\"; echo not stopped";
    for shell in ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh"] {
        if !std::path::Path::new(shell).exists() {
            continue;
        }
        let under = [shell, "-c", script, shell].map(str::to_owned);
        let Ran { code, stdout, .. } = desk.vega_under(&under, &[]).await?;
        assert_eq!(stdout, format!("{token}\nfailed: unset\n"), "{shell}");
        assert_eq!(code, Some(1), "{shell}: it stops");
    }
    Ok(())
}
