//! A measurement by hand: how long `vega move` takes with years of entries, onto a server and back into a file. Prints seconds, judges
//! none. The server is the tests' own.

use anyhow::{Result, ensure};
use tokio::time::Instant;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::AuditTrail;
use vega_persistence::{DataSource, DatabasePlace, Relocation, SqlAuditTrail};
use vega_testing::builders::at;
use vega_testing::{PostgresServer, TestClock};

const ENTRIES: u64 = 45_000;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are the output")]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("config/vega.key");
    let place = |url: String| DatabasePlace {
        folder: folder.path().join("data"),
        ..DatabasePlace::from(&url)
    };
    let file = |name: &str| place(format!("sqlite://{}", folder.path().join(name).display()));
    let places = [
        file("data/vega_trade.db"),
        place(PostgresServer::shared().fresh_database()),
        file("back/vega_trade.db"),
    ];
    let data = DataSource::open(&places[0], &key).await?;
    let trail = SqlAuditTrail::new(data.clone());
    let began = Instant::now();
    for number in 0..ENTRIES {
        let words = format!("PRIMARY: generation {number} is valid, as it was an hour ago");
        trail
            .append(&AuditEntry::new(at(0), AuditKind::TokensChecked, words))
            .await?;
    }
    data.close().await;
    println!("written in {:.1} s", began.elapsed().as_secs_f64());
    for way in places.windows(2) {
        let [from, to] = way else { continue };
        let source = Relocation::open(from, &key).await?;
        let lease = source.data().login_lease(TestClock::at(at(1)));
        let _held = lease.acquire().await?;
        let began = Instant::now();
        let moved = source.move_to(to, at(2), |step| {
            println!("  {} after {:.1} s", step.code(), began.elapsed().as_secs_f64());
        });
        let moved = moved.await?;
        let took = began.elapsed().as_secs_f64();
        ensure!(
            moved.fault.is_none() && moved.audit_entries > ENTRIES,
            "{moved:?}"
        );
        println!("{} entries moved in {took:.1} s", moved.audit_entries);
        source.close().await;
    }
    Ok(())
}
