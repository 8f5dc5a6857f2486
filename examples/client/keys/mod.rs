//! `keys`: what to do with key configurations without sending anything.

mod compare;
mod lint;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
use oblivious_http::client::{Demand, FetchedKeys, KeySource, KeySourceError};
use serde::Serialize;

use crate::connections::ConnectionArgs;
use crate::failure::Failure;
use crate::key_sources::FetchArgs;
use crate::stdio;

#[derive(clap::Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Fetches key configurations, and writes them as they are.
    Fetch {
        /// Write to a file instead of standard output.
        #[arg(short = 'o', long, value_name = "FILE")]
        output: Option<PathBuf>,

        #[command(flatten)]
        sources: SourceArgs,
    },
    /// Shows what is in key configurations, and which of them this client would use.
    Show {
        #[command(flatten)]
        form: FormArgs,

        #[command(flatten)]
        sources: SourceArgs,
    },
    /// Looks for faults in key configurations. The exit code is 1 if there are errors.
    Lint {
        /// Count warnings as errors.
        #[arg(long)]
        strict: bool,

        #[command(flatten)]
        form: FormArgs,

        #[command(flatten)]
        sources: SourceArgs,
    },
    /// Compares the key configurations of several sources. The exit code is 1 if they differ.
    Compare {
        #[command(flatten)]
        form: FormArgs,

        #[command(flatten)]
        sources: SourceArgs,
    },
}

#[derive(clap::Args)]
struct SourceArgs {
    /// Files, or https URLs of gateways.
    #[arg(value_name = "FILE|URL", env = "CLIENT_KEYS", hide_env = true)]
    sources: Vec<String>,

    #[command(flatten)]
    fetch: FetchArgs,

    #[command(flatten)]
    connections: ConnectionArgs,
}

#[derive(clap::Args)]
struct FormArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What a source said.
struct Answer {
    name: String,
    keys: Result<FetchedKeys, KeySourceError>,
}

pub(crate) async fn run(args: &KeysArgs) -> anyhow::Result<()> {
    match &args.action {
        Action::Fetch { sources, output } => {
            let answer = sources.one().await?;
            Ok(stdio::write(output.as_deref(), &answer.keys?.list)?)
        }
        Action::Show { sources, form } => {
            let mut shown = Vec::new();
            for Answer { name, keys } in sources.ask().await? {
                shown.push(show::Shown::new(name, &keys?)?);
            }
            form.print(&shown, |shown| shown.iter().map(ToString::to_string).collect())
        }
        Action::Lint { sources, strict, form } => {
            let found: Vec<_> = sources.ask().await?.iter().map(lint::Report::new).collect();
            form.print(&found, |found| found.iter().map(ToString::to_string).collect())?;
            let is_sound = found.iter().all(|report| report.is_sound(*strict));
            match is_sound {
                true => Ok(()),
                false => Err(Failure::Unsound("the key configurations have faults".into()).into()),
            }
        }
        Action::Compare { sources, form } => {
            let answers = sources.ask().await?;
            if answers.len() < 2 {
                let message = "name at least two sources of keys".to_owned();
                return Err(Failure::Usage(message).into());
            }
            let comparison = compare::Comparison::new(answers)?;
            form.print(&comparison, ToString::to_string)?;
            match comparison.agree {
                true => Ok(()),
                false => Err(Failure::Difference("the key configurations differ".into()).into()),
            }
        }
    }
}

impl SourceArgs {
    /// Asks all sources.
    async fn ask(&self) -> anyhow::Result<Vec<Answer>> {
        let sources = self.fetch.sources(&self.sources, &self.connections)?;
        if sources.is_empty() {
            let message = "name a file or an https URL, or an origin with --discover".to_owned();
            return Err(Failure::Usage(message).into());
        }
        let asking = async {
            let mut answers = Vec::new();
            for source in sources {
                answers.push(ask(&*source).await);
            }
            answers
        };
        Ok(match self.connections.max_time {
            Some(seconds) => tokio::time::timeout(seconds.duration(), asking)
                .await
                .map_err(|_| Failure::TimedOut(seconds.to_string()))?,
            None => asking.await,
        })
    }

    /// Asks the only one.
    async fn one(&self) -> anyhow::Result<Answer> {
        let mut answers = self.ask().await?;
        match (answers.pop(), answers.is_empty()) {
            (Some(answer), true) => Ok(answer),
            _ => Err(Failure::Usage("name one source of keys".into()).into()),
        }
    }
}

async fn ask(source: &dyn KeySource) -> Answer {
    Answer { name: source.name(), keys: source.fetch(Demand::Revalidated).await }
}

impl FormArgs {
    fn print<T: Serialize>(&self, what: &T, human: impl Fn(&T) -> String) -> anyhow::Result<()> {
        let text = match self.json {
            true => serde_json::to_string_pretty(what)? + "\n",
            false => human(what),
        };
        Ok(stdio::write(None, text.as_bytes())?)
    }
}
