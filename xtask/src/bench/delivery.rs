//! How soon a new token is with the programs: on every stream of a server that holds many, and with `vega watch`, `vega exec` and a file.
//! The examples measure; here they are only run.

use anyhow::{Context, Result};

use crate::bench::home::{Home, Settings, release};
use crate::bench::programs::said;
use crate::bench::row::Measured;
use crate::bench::server::Server;
use crate::bench::world::{NOWHERE, World};
use crate::shell::step;

/// 5,000 streams: 250 of each of 20 keys. One key may have 256.
const KEYS: usize = 20;
const EACH: &str = "250";

/// Milliseconds until every stream has a change, and memory of the server then, beside one stream.
pub(crate) fn fan_out(_: &World) -> Result<Vec<Measured>> {
    let home = Home::new("fan-out", Settings::made_up(6), NOWHERE)?;
    home.figures("measure", &["fill"])?;
    let keys = (0..KEYS).map(|number| {
        let name = format!("desk{number}");
        let key = said(&mut home.vega(&["key", "add", &name, "--scope", "token:API0"]))?;
        Ok(key.trim().to_owned())
    });
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let [one, many] = [("1", 1), (EACH, KEYS)].map(|(each, keys_used)| {
        let server = Server::start(&home)?;
        step(&format!(
            "a change, and {each} streams of each of {keys_used} keys"
        ));
        let pid = server.id().to_string();
        let mut arguments = vec![&*server.address, &*pid, each];
        arguments.extend(keys[..keys_used].iter().map(String::as_str));
        let mut figures = home.figures("fan_out", &arguments)?.into_iter();
        let memory = figures.next().context("the memory")?;
        let took: Vec<f64> = figures.collect();
        server.stop()?;
        anyhow::Ok((took, vec![memory]))
    });
    let ((one_took, one_memory), (took, memory)) = (one?, many?);
    Ok(vec![
        Measured::beside(took, &one_took),
        Measured::beside(memory, &one_memory),
    ])
}

/// Milliseconds until a line of `vega watch`, a command of `vega exec` and a file have a new token.
pub(crate) fn programs(_: &World) -> Result<Vec<Measured>> {
    let mut settings = Settings::made_up(6);
    let file = Home::file_in("programs", "token");
    settings.file("API0", &file);
    let home = Home::new("programs", settings, NOWHERE)?;
    home.figures("measure", &["fill"])?;
    let server = Server::start(&home)?;
    step("changes, and what programs have of them");
    let vega = release("vega").display().to_string();
    let figures = home.figures("deliveries", &[&vega, &file])?;
    server.stop()?;
    let of = |place: usize| Measured::alone(figures.iter().copied().skip(place).step_by(3).collect());
    Ok((0..3).map(of).collect())
}
