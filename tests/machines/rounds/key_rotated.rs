//! The operator rotates the key while both machines serve: first, by mistake, before the next key was copied, which must be refused; then as
//! told. Nobody stops serving, and nobody is left without the key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::sleep;

use crate::pair::{Pair, Roles, time_until};
use crate::rounds::out_of_reach::{Reads, read_on};

/// A server takes the new key up at the next look; the rest is room for a busy computer.
const SOON: Duration = Duration::from_secs(10);
/// After the commit, so that reads go on under the new key.
const READS_ON: Duration = Duration::from_secs(2);

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let api = pair.apis()[0].clone();
    let signed_in = pair.sign_in(roles.one).await?;
    pair.promises.expect(signed_in.code == Some(0), || {
        format!("no token to serve: {signed_in:?}")
    });
    let (server, key) = pair.server(roles.other).await?;
    let path = format!("/api/v1/apis/{api}/token");
    let in_one_step = pair.vega(roles.one, &["seal", "rotate"]).await?;
    let prepare = ["seal", "rotate", "--prepare", "--json"];
    let prepared = pair.vega(roles.one, &prepare).await?;
    let file = PathBuf::from(prepared.json()?["file"].as_str().context("a file")?);
    let too_early = pair.vega(roles.one, &["seal", "rotate", "--commit"]).await?;
    // What matters is what the other machine can do.
    let read = pair.vega(roles.other, &["token", &api]).await?;
    pair.promises.expect(read.code == Some(0), || {
        format!("a machine is left without the key: {in_one_step:?}, {too_early:?}, then {read:?}")
    });
    if read.code != Some(0) {
        // It is told. What comes after this round has the key again.
        server.stop().await?;
        copy(pair, roles, &file.with_file_name("vega.key"))?;
        return Ok(format!("{roles:?}: {in_one_step:?}, {too_early:?}"));
    }

    copy(pair, roles, &file)?;
    let has_it = time_until(SOON, async || lacks_nothing(pair, roles).await.unwrap_or(false)).await;
    pair.promises
        .expect(has_it.is_some(), || "a copied key is not seen".to_owned());
    let mut reads = Reads::default();
    let committed = async {
        let committed = pair.vega(roles.one, &["seal", "rotate", "--commit"]).await;
        sleep(READS_ON).await;
        committed
    };
    let committed = tokio::select! {
        () = read_on(&server, &path, &key, &mut reads) => unreachable!("it reads for ever"),
        committed = committed => committed?,
    };
    pair.promises.expect(committed.code == Some(0), || {
        format!("not rotated: {committed:?}")
    });
    reads.tell(&mut pair.promises, &server);
    let taken_up = time_until(SOON, async || {
        let answer = server.get("/readyz", &key).await;
        answer.is_ok_and(|answer| answer.status == 200)
    });
    let taken_up = taken_up.await;
    pair.promises
        .figures
        .took("a server has the new key", taken_up.unwrap_or(SOON));
    pair.promises.expect(taken_up.is_some(), || {
        format!("a server does not take the new key up: {}", server.log())
    });
    server.stop().await?;
    for machine in [roles.one, roles.other] {
        let read = pair.vega(machine, &["token", &api]).await?;
        pair.promises.expect(read.code == Some(0), || {
            format!("a machine lacks the key after a rotation: {read:?}")
        });
    }
    Ok(format!(
        "{roles:?}: {in_one_step:?}, {too_early:?}, {committed:?}"
    ))
}

/// As the operator does it, with `scp -p`.
fn copy(pair: &Pair, roles: Roles, file: &Path) -> Result<()> {
    let (one, other) = (&pair.machines[roles.one].desk, &pair.machines[roles.other].desk);
    let inside = file.strip_prefix(one.path()).context("a file of this desk")?;
    std::fs::copy(file, other.path().join(inside))?;
    Ok(())
}

/// By the words of the machine that got the copy.
async fn lacks_nothing(pair: &Pair, roles: Roles) -> Result<bool> {
    let listed = pair
        .vega(roles.other, &["seal", "machines", "--json"])
        .await?
        .json()?;
    let machines = listed["machines"].as_array().context("machines")?.iter();
    let mut lacking = machines.filter(|machine| machine["has_next_key"] != Value::Bool(true));
    Ok(lacking.next().is_none())
}
