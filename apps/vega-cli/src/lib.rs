//! `vega`, the operator's command line. Reads arguments, starts what they ask for, turns outcomes into exit codes.

mod command_line;

mod commands;

#[cfg(target_os = "linux")]
mod exec;
mod report;
mod terminal;

mod program_token;
mod server;
mod token_feed;

mod command_error;
mod exit;
mod stop;

#[cfg(test)]
mod documents;

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use vega_bootstrap::{
    Environment, LogFormat, PortDecorator, ServerAtSocket, Settings, SettingsError, StartError, SystemClock,
    Vega, careful_process, left_alone, log_to_stderr, token_without_opening,
};
use vega_domain::ports::Clock;

use crate::command_error::CommandError;
use crate::command_line::arguments::{Arguments, Audit, Command};
use crate::command_line::program_arguments::Watch;
use crate::command_line::usage::CommandLine;
use crate::command_line::{places, usage};
use crate::commands::looked_up::may_be_looked_up;
use crate::commands::token::from_server::Asked;
use crate::commands::{
    adopt, audit, backup, cancel, config, console_link, consumers, cooldown, files, generate, key, looked_up,
    relocate, restore, resume, revoke, seal, status, token, verify, watch,
};
use crate::exit::Exit;
use crate::program_token::ProgramToken;
use crate::server::not_given::Refused;
use crate::stop::{LEFT_BEHIND, Stop};
use crate::terminal::Terminal;
use crate::terminal::output;
use crate::token_feed::{Installation, TokenFeed, Wants, What};

/// The whole program, over ports that `decorator` may wrap.
pub fn main(decorator: Arc<dyn PortDecorator>) -> ExitCode {
    #[cfg(target_os = "linux")]
    exec::become_command_if_asked();
    #[cfg(target_os = "linux")]
    let umask = exec::Umask::of_process();
    careful_process();
    let line = CommandLine::of_process();
    let exit = match Arguments::try_parse_from(places::behind_the_command(std::env::args_os())) {
        Ok(arguments) => {
            let environment = Environment::of_process().naming(arguments.places());
            #[cfg(target_os = "linux")]
            if let Some(Command::Exec(wanted)) = &arguments.command {
                log_to_stderr(&environment, "warn", LogFormat::Text);
                let installation = || installation(&arguments, &environment, &line);
                return exec::main(wanted, umask, &environment, decorator, installation).into();
            }
            carried_out(arguments, environment, &line, decorator)
        }
        Err(error) => {
            let exit = usage::answer(&error, &line);
            #[cfg(target_os = "linux")]
            if exit != Exit::Ok && line.begins_with("exec") {
                return exec::FAILED.into();
            }
            exit
        }
    };
    if exit != Exit::Ok && line.is_evaluated_by_a_shell() && !output::has_data() {
        output::data(token::NO_TOKEN_FOR_A_SHELL);
    }
    output::checked(exit).into()
}

fn carried_out(
    arguments: Arguments,
    environment: Environment,
    line: &CommandLine,
    decorator: Arc<dyn PortDecorator>,
) -> Exit {
    log_to_stderr(&environment, "warn", LogFormat::Text);
    let mut runtime = match &arguments.command {
        // Threads that nobody needs take longer to start than the look.
        Some(command) if may_be_looked_up(command) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let outcome = runtime
        .enable_all()
        .build()
        .map_err(CommandError::from)
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(arguments, environment, line, decorator));
            // A command that was stopped may have left a thread that waits for another process.
            runtime.shutdown_timeout(LEFT_BEHIND);
            outcome
        });
    outcome.unwrap_or_else(|error| {
        // Every error of ours carries its causes in its own words.
        output::problem(&error.to_string());
        error.exit()
    })
}

async fn run(
    arguments: Arguments,
    environment: Environment,
    line: &CommandLine,
    decorator: Arc<dyn PortDecorator>,
) -> Result<Exit, CommandError> {
    let mut settings = match installation(&arguments, &environment, line)? {
        Some(Installation::Own(settings)) => *settings,
        Some(Installation::OfAnotherUser(server)) => {
            return at_another_users(server, &arguments, &environment, decorator).await;
        }
        None => return Ok(Exit::Usage),
    };
    if let Some(Command::Config(wanted)) = &arguments.command {
        return config::run(&settings, wanted.json);
    }
    match &arguments.command {
        // Nothing of Vega has the database open meanwhile.
        Some(Command::Move(wanted)) => return relocate::run(&settings, wanted, &*decorator).await,
        Some(Command::Restore(wanted)) => return restore::run(&settings, wanted, &*decorator).await,
        // Its database may be gone for good.
        Some(Command::Audit(Audit {
            backup: Some(backup),
            checkpoints,
            json,
            ..
        })) => return audit::verify_backup(&settings, backup, checkpoints.as_deref(), *json).await,
        _ => {}
    }
    let refused = match &arguments.command {
        Some(Command::Watch(wanted)) => {
            let installation = Installation::Own(Box::new(settings));
            return watched(installation, wanted, &environment, decorator).await;
        }
        Some(Command::Token(wanted)) => {
            match token::from_server::of_installation(&settings, wanted, &*decorator).await? {
                Asked::Done(exit) => return Ok(exit),
                Asked::NoToken(refused) => Some(refused),
                Asked::Nobody(_) => None,
            }
        }
        _ => None,
    };
    if let Some(command) = arguments
        .command
        .as_ref()
        .filter(|command| refused.is_none() && may_be_looked_up(command))
        && let Some(exit) = looked_up::answer(&settings, command, &*decorator).await
    {
        return Ok(exit);
    }
    let way = arguments.way();
    if let Some(route) = way.and_then(|way| way.route) {
        settings.take_route(route);
    }
    settings.open_links = way.is_some_and(|way| way.open);
    let terminal = Arc::new(Terminal::new(arguments.says_yes()));
    let stop = Stop::listen();
    let started = tokio::select! {
        started = Vega::start(settings.clone(), environment, terminal.clone(), terminal.clone(), decorator) => started,
        () = stop.asked(1) => return Ok(stopped(&terminal)),
    };
    let vega = match started {
        Ok(vega) => vega,
        Err(error) => return without_database(&settings, &arguments, refused, error).await,
    };
    let exit = {
        let wanted = arguments.command();
        let may_change_tokens = files::may_change_tokens(&wanted);
        let mut command = pin!(command(&vega, &terminal, wanted, refused, &stop));
        let exit = tokio::select! {
            biased;
            exit = &mut command => exit,
            () = before_a_run(&stop, &vega, &terminal) => Ok(stopped(&terminal)),
        };
        if may_change_tokens {
            files::bring_up_to_date(&vega, &stop).await;
        }
        exit
    };
    vega.close().await;
    exit
}

/// From whom the command gets tokens, if it gets no more: a user without any account may ask the server of another one.
fn installation(
    arguments: &Arguments,
    environment: &Environment,
    line: &CommandLine,
) -> Result<Option<Installation>, CommandError> {
    let error = match settings(arguments, environment, line) {
        Ok(settings) => return Ok(settings.map(Box::new).map(Installation::Own)),
        Err(error) => error,
    };
    let is_another_users = matches!(
        error,
        CommandError::Settings(SettingsError::NothingConfigured { .. })
    );
    if is_another_users
        && arguments.only_uses_tokens()
        && let Some(server) = ServerAtSocket::of_another_user(environment)?
    {
        return Ok(Some(Installation::OfAnotherUser(server)));
    }
    Err(error)
}

/// What a user without an installation may do with the server of another one.
async fn at_another_users(
    server: ServerAtSocket,
    arguments: &Arguments,
    environment: &Environment,
    decorator: Arc<dyn PortDecorator>,
) -> Result<Exit, CommandError> {
    match &arguments.command {
        Some(Command::Token(wanted)) => {
            token::from_server::of_another_user(server, wanted, &*decorator).await
        }
        Some(Command::Watch(wanted)) => {
            let installation = Installation::OfAnotherUser(server);
            watched(installation, wanted, environment, decorator).await
        }
        _ => unreachable!("it uses tokens alone"),
    }
}

async fn watched(
    installation: Installation,
    wanted: &Watch,
    environment: &Environment,
    decorator: Arc<dyn PortDecorator>,
) -> Result<Exit, CommandError> {
    let apis = match (&*wanted.apis, &installation) {
        ([], Installation::Own(settings)) => {
            let configured = settings.accounts.apis();
            configured.map(|(_, api)| api.name.clone()).collect()
        }
        ([], Installation::OfAnotherUser(server)) => {
            output::problem(&format!(
                "no API is configured here. Name those of the server at {}, as in `vega watch PRIMARY`",
                server.path().display()
            ));
            return Ok(Exit::Usage);
        }
        (named, _) => named.to_vec(),
    };
    let wants = Wants {
        what: if wanted.with_token {
            What::Tokens
        } else {
            What::States
        },
        kind: wanted.kind.wanted(),
    };
    let stop = Stop::listen();
    watch::run(
        &TokenFeed::new(installation, environment, decorator, apis, wants),
        &stop,
    )
    .await
}

/// The settings in force, with what there is to say of them; `None` where it was said what is wrong with the line.
fn settings(
    arguments: &Arguments,
    environment: &Environment,
    line: &CommandLine,
) -> Result<Option<Settings>, CommandError> {
    if let Some(left_alone) = left_alone(environment) {
        output::say(&format!("note: {left_alone}"));
    }
    let settings = match Settings::load(environment) {
        Ok(settings) => settings,
        // A word that only looks like a command would be judged by settings that it has nothing to do with.
        Err(_) if usage::tell_mistyped_command(arguments, line) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    for warning in &settings.warnings {
        output::warning(warning);
    }
    let is_told = usage::tell_unknown_api(arguments, line, &settings);
    Ok((!is_told).then_some(settings))
}

/// A program that wants a token is not sent away for a database that fails, as long as it or its spool can be read.
async fn without_database(
    settings: &Settings,
    arguments: &Arguments,
    refused: Option<Refused>,
    error: StartError,
) -> Result<Exit, CommandError> {
    // The server knows better than what is left of the database.
    if let Some(refused) = refused {
        output::problem(&refused.words);
        return Ok(refused.exit());
    }
    if let Some(Command::Token(wanted)) = &arguments.command
        && let Some(token) = token_without_opening(settings, &wanted.api, wanted.kind.wanted()).await
    {
        output::say(&format!("warning: {error}. The token can still be read."));
        let token = ProgramToken::of(&wanted.api, &token);
        return token::give(&token, wanted, None, SystemClock::new().now());
    }
    Err(error.into())
}

/// Whether a command works in a database that does not count: what only looks, and what says that it does.
fn only_looks(command: &Command) -> bool {
    matches!(
        command,
        Command::Status(_) | Command::Audit(_) | Command::Config(_) | Command::Backup(_)
    )
}

async fn command(
    vega: &Vega,
    terminal: &Terminal,
    command: Command,
    refused: Option<Refused>,
    stop: &Stop,
) -> Result<Exit, CommandError> {
    if !only_looks(&command)
        && let Some(mistrust) = vega.maintenance.mistrust().await?
    {
        output::problem(&mistrust);
        return Ok(Exit::Preflight);
    }
    match command {
        Command::Generate(wanted) => {
            generate::run(vega, terminal, &wanted.request(), wanted.way.json, stop).await
        }
        Command::Resume(wanted) => resume::run(vega, terminal, wanted, stop).await,
        Command::Status(wanted) => {
            let findings = vega.stored.findings().await?;
            status::run(&vega.stored, findings, wanted.json).await
        }
        Command::Verify(wanted) => verify::run(vega, terminal, &wanted).await,
        Command::Cancel => cancel::run(vega).await,
        Command::Cooldown(wanted) => cooldown::run(vega, &wanted).await,
        Command::Audit(wanted) => audit::run(vega, &wanted).await,
        Command::Seal(wanted) => seal::run(vega, &wanted).await,
        Command::Backup(wanted) => backup::run(vega, &wanted).await,
        Command::Adopt(wanted) => adopt::run(vega, terminal, &wanted).await,
        Command::Revoke(wanted) => revoke::run(vega, terminal, &wanted).await,
        Command::Key(wanted) => key::run(vega, &wanted).await,
        Command::Consumers(wanted) => consumers::run(vega, &wanted).await,
        Command::Console => console_link::run(vega).await,
        Command::Token(wanted) => match refused {
            Some(refused) => token::without(vega, &wanted, &refused).await,
            None => token::run(vega, &wanted).await,
        },
        Command::Files(wanted) => files::run(vega, &wanted).await,
        Command::Watch(_) => unreachable!("carried out before the database is opened"),
        #[cfg(target_os = "linux")]
        Command::Exec(_) => unreachable!("carried out before the runtime is made"),
        Command::Config(wanted) => config::run(&vega.settings, wanted.json),
        Command::Move(_) | Command::Restore(_) => unreachable!("carried out before the database is opened"),
    }
}

/// Until the program is asked to stop, while no run has begun: what an earlier Vega left is finished first.
async fn before_a_run(stop: &Stop, vega: &Vega, terminal: &Terminal) {
    stop.asked(1).await;
    stop.unless_left_to_the_run().await;
    if vega.orchestrator.is_recovering() {
        terminal.say("Stopping: what an earlier Vega left is finished first.");
        vega.orchestrator.recovered().await;
    }
    stop.unless_left_to_the_run().await;
}

fn stopped(terminal: &Terminal) -> Exit {
    terminal.finished();
    output::say("Stopped before a sign-in began. What is stored stays; run the same command again to go on.");
    Exit::NotAllowed
}
