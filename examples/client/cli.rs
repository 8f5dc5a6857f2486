//! The command line. A URL is the plain form; a word is a subcommand.

use clap::{Parser, Subcommand};

use crate::completions::CompletionsArgs;
use crate::connections::ConnectionArgs;
use crate::decapsulate::DecapsulateArgs;
use crate::encapsulate::EncapsulateArgs;
use crate::gateway::GatewayArgs;
use crate::keygen::KeygenArgs;
use crate::keys::KeysArgs;
use crate::manual::ManArgs;
use crate::output::OutputArgs;
use crate::refused::RefusedArgs;
use crate::request::RequestArgs;

/// Sends a request through an Oblivious HTTP relay and gateway, and prints the response.
///
/// It is used like curl. The relay learns this machine's address, but nothing about the request;
/// the gateway and the target learn the request, but nothing about this machine. Fetching the keys
/// by URL shows this machine's address to the server that has them, though not what they are for.
///
/// The request only contains what the command line says, without User-Agent or Accept, so that one
/// user's looks like another's.
#[derive(Parser)]
#[command(
    name = "client",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100,
    override_usage = "client --relay URL --keys FILE|URL [OPTIONS] TARGET_URL\n       client <COMMAND>",
    after_help = "Exit codes are curl's where it has one: 2 for a wrong command line, 3 for a \
                  wrong URL, 6 if a host is not found, 7 if it cannot be connected to, \
                  18 if an answer breaks off, 22 for a status of 400 or more with --fail, 23 if \
                  output cannot be written, 26 if input cannot be read, 28 if time runs out, 35 and \
                  60 for TLS and certificates, 52 and 56 if the relay breaks off, 63 if the \
                  answer is too long. 8 means that relay or gateway gave no answer that can be \
                  opened, and 90 that keys differ from what is pinned, or from each other."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The URL to ask for: the target's, which the relay never sees. Without a scheme it is https.
    #[arg(value_name = "TARGET_URL", required = true)]
    pub(crate) target: Option<String>,

    /// Read flags from a file, - for standard input: one in each line, as 'name = "value"'. Repeat
    /// it for more.
    // Read before all others.
    #[arg(short = 'K', long, value_name = "FILE")]
    config: Vec<String>,

    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) connections: ConnectionArgs,

    #[command(flatten)]
    pub(crate) refused: RefusedArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Fetches, shows, checks and compares key configurations.
    Keys(KeysArgs),
    /// Makes a gateway's key pair.
    Keygen(KeygenArgs),
    /// Encapsulates a binary HTTP request, from standard input to standard output.
    Encapsulate(EncapsulateArgs),
    /// Decapsulates a request with a gateway's private key.
    Decapsulate(DecapsulateArgs),
    /// Prints a script that completes this program's command line.
    Completions(CompletionsArgs),
    /// Prints this program's manual page.
    Man(ManArgs),
}
