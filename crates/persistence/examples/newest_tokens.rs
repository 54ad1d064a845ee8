//! What `cargo xtask bench` runs: how long the newest tokens take to load, which happens after every commit. 50 APIs have 1,000
//! generations each, ten years of mornings. Prints milliseconds, judges none.

use anyhow::{Result, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::time::Instant;
use vega_domain::ports::UpstoxTokenRepository;
use vega_persistence::{DataSource, SqlTokenRepository};

const APIS: usize = 50;
const LOADS: usize = 100;

/// Tokens that died long ago and were erased, by generation: so the rows of an API lie apart from each other.
const FILL: &str = "
    WITH RECURSIVE api(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM api WHERE number < 50),
        generation(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM generation WHERE number < 1000)
    INSERT INTO upstox_tokens (api, generation, account, client_id, user_id, sealed_access_token, issued_at, valid_until,
        erased_at)
    SELECT 'API' || api.number, generation.number, 'main', 'key', 'AB1234', x'', '2026-11-23T03:00:00+00:00',
        '2026-11-23T22:00:00+00:00', '2026-11-25T03:00:00+00:00'
    FROM generation, api ORDER BY generation.number";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are the output")]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data/vega_trade.db");
    let url = format!("sqlite://{}", path.display());
    let data = DataSource::open(&url, &folder.path().join("config/vega.key")).await?;
    let filling = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await?;
    sqlx::query(FILL).execute(&filling).await?;
    filling.close().await;
    let tokens = SqlTokenRepository::new(data.clone());
    for _ in 0..LOADS {
        let began = Instant::now();
        let loaded = tokens.load_all().await?;
        println!("{:.4}", began.elapsed().as_secs_f64() * 1e3);
        ensure!(loaded.len() == APIS, "{} APIs were found", loaded.len());
    }
    data.close().await;
    Ok(())
}
