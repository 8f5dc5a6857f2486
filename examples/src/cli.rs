//! What the command lines of the programs have in common.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser};
use oblivious_hyper::tls::{self, TlsError};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Reads the command line, and for what it does not say the environment: `--some-flag` of a
/// program with the prefix `RELAY` is also `RELAY_SOME_FLAG`.
///
/// Ends the program with code 2 if the command line is wrong, with code 0 after `--help`.
pub fn parse<A: Parser>(prefix: &str) -> A {
    let command = A::command().mut_args(|arg| {
        let Some(flag) = arg.get_long() else { return arg };
        let variable = format!("{prefix}_{}", flag.to_uppercase().replace('-', "_"));
        // --help would show values, and some of them are not for everyone.
        let arg = arg.hide_env_values(true);
        match arg.get_action() {
            // A variable can only say yes if it has words for it.
            ArgAction::SetTrue => arg.env(variable).value_parser(BoolishValueParser::new()),
            _ => arg.env(variable),
        }
    });
    A::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// The flags of a server that can speak TLS.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// Serve HTTPS with this certificate chain, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

impl TlsArgs {
    /// The TLS to serve with; `None` when neither flag was given.
    pub fn server_config(&self) -> Result<Option<rustls::ServerConfig>, TlsError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => tls::server_config(cert, key, None).map(Some),
            _ => Ok(None),
        }
    }
}

/// Listens at `address`, which is `HOST:PORT`, and says so on stdout: `listening on
/// https://ADDRESS`, or `http://` without TLS. With port 0 that line tells the port.
pub async fn listen(address: &str, tls: bool) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
        .context(Hint("choose another address with --listen HOST:PORT"))?;
    let scheme = if tls { "https" } else { "http" };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {scheme}://{}", listener.local_addr()?)?;
    stdout.flush()?;
    Ok(listener)
}

/// Libraries whose more talkative log lines tell who connects where.
const DISCREET: [&str; 6] = ["h2", "hyper", "hyper_rustls", "hyper_util", "rustls", "tower"];

/// Sends log lines to stderr. `RUST_LOG` chooses which; without it, what `default` says.
///
/// Whatever it chooses, lines that could name a client, a target or a field are left out.
pub fn init_logging(default: &str) {
    let ansi = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
    discreet(chosen(default)).with(lines).init();
}

/// As [`init_logging`], with each line a JSON object.
pub fn init_json_logging(default: &str) {
    let lines = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
    discreet(chosen(default)).with(lines).init();
}

fn chosen(default: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default))
}

/// Lines have to pass both filters: within one, the more detailed directive would win.
fn discreet(chosen: EnvFilter) -> impl SubscriberExt + SubscriberInitExt + for<'a> LookupSpan<'a> {
    let libraries = DISCREET.map(|library| (library, LevelFilter::WARN));
    let all = Targets::new().with_default(LevelFilter::TRACE);
    tracing_subscriber::registry().with(chosen).with(all.with_targets(libraries))
}

/// Is ready when the program is asked to end, by ctrl-c or SIGTERM.
pub async fn shutdown() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Waits for requests to read files again.
pub struct HangUps {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

/// The SIGHUPs that come from now on.
pub fn hang_ups() -> HangUps {
    #[cfg(unix)]
    let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    HangUps {
        #[cfg(unix)]
        signal,
    }
}

impl HangUps {
    /// The next one. Where there are no such signals it never comes.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// What someone can do about an error: `result.context(Hint("..."))`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Hint(pub &'static str);

/// Turns the outcome of a program into its exit code. An error goes to stderr first, with its
/// causes and its hint.
pub fn report(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprint!("{}", describe(&error));
    ExitCode::FAILURE
}

fn describe(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(|hint| hint.0);
    let mut causes = error.chain().map(ToString::to_string).filter(|cause| Some(&**cause) != hint);
    let mut text = format!("error: {}\n", causes.next().unwrap_or_default());
    for cause in causes {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    text
}

/// Reads a time in seconds, whole or with a fraction, for `value_parser`: up to a day.
pub fn seconds(text: &str) -> anyhow::Result<Duration> {
    let seconds: f64 = text.parse().context("write a number of seconds, as 30 or 0.5")?;
    anyhow::ensure!(seconds > 0.0 && seconds <= 86_400.0, "it must be above 0 and at most 86400");
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_the_hint_last() {
        let outcome: Result<(), _> = Err(anyhow::anyhow!("port is taken"));
        let error = outcome
            .context("cannot listen")
            .context(Hint("try another port"))
            .context("cannot start")
            .unwrap_err();
        assert_eq!(
            describe(&error),
            "error: cannot start\n  because: cannot listen\n  because: port is taken\n  \
             hint: try another port\n"
        );
    }

    #[test]
    fn no_choice_of_lines_shows_who_connects_where() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let chosen = EnvFilter::new("info,hyper_util::client::legacy=trace,h2[span]=trace");
        let lines = tracing_subscriber::fmt::layer().with_writer(Arc::new(writer));
        tracing::subscriber::with_default(discreet(chosen).with(lines), || {
            tracing::debug!(target: "hyper_util::client::legacy::pool", "secret");
            tracing::info!(target: "h2", "secret");
            tracing::warn!(target: "hyper_util::client::legacy", "warning");
            tracing::info!("our own");
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.contains("warning") && text.contains("our own"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn seconds_are_positive_and_at_most_a_day() {
        assert_eq!(seconds("30").unwrap(), Duration::from_secs(30));
        assert_eq!(seconds("0.5").unwrap(), Duration::from_millis(500));
        for wrong in ["0", "-1", "86401", "NaN", "inf", "soon", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
