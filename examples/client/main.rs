//! A client in the style of curl: one request through a relay and a gateway, with the answer on
//! standard output. It also has tools for keys and for single messages.
//!
//! ```sh
//! cargo run --release --example client -- --relay https://relay.example/gateway \
//!     --keys https://gateway.example/ohttp-keys https://example.com/
//! ```

mod cli;
mod completions;
mod config;
mod connections;
mod decapsulate;
#[cfg(feature = "dns")]
mod dns;
mod encapsulate;
mod exchange;
mod failure;
mod gateway;
mod key_sources;
mod keygen;
mod keys;
mod manual;
mod output;
mod refused;
mod request;
mod stdio;
mod trace;
mod unverified;
mod urls;
mod verbose;

use std::process::ExitCode;

use examples::error_report::describe;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match config::parse() {
        Ok(cli) => cli,
        Err(error) => return report(&error.into(), false),
    };
    let is_quiet = cli.output.silent && !cli.output.show_error;
    run(&cli).map_or_else(|error| report(&error, is_quiet), |()| ExitCode::SUCCESS)
}

fn report(error: &anyhow::Error, is_quiet: bool) -> ExitCode {
    if !is_quiet {
        eprint!("{}", describe(error));
    }
    failure::exit_code(error).into()
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    // One thread is enough for one exchange, and starts sooner.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match &cli.command {
            None => exchange::run(cli).await,
            Some(Command::Keys(args)) => keys::run(args).await,
            Some(Command::Keygen(args)) => keygen::run(args),
            Some(Command::Encapsulate(args)) => encapsulate::run(args).await,
            Some(Command::Decapsulate(args)) => decapsulate::run(args),
            Some(Command::Completions(args)) => completions::run(args),
            Some(Command::Man(args)) => manual::run(args),
        }
    });
    // A look-up that nobody waits for any more must not delay the exit.
    runtime.shutdown_background();
    outcome
}
