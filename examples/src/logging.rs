//! Log lines, on standard error.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(
    missing_docs,
    reason = "--help would show a paragraph for each, and there is little to say"
)]
pub enum LogFormat {
    Text,
    Json,
}

/// Libraries whose detailed log lines would reveal who connects where.
const DISCREET: [&str; 6] = ["h2", "hyper", "hyper_rustls", "hyper_util", "rustls", "tower"];

/// Sends log lines to stderr. `RUST_LOG` chooses which; without it, what `default` says.
///
/// Whatever it chooses, lines that could name a client, a target or a field are left out.
pub fn init(format: LogFormat, default: &str) {
    let chosen = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => discreet(chosen).with(lines.json()).init(),
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal();
            discreet(chosen).with(lines.with_ansi(ansi)).init();
        }
    }
}

/// Lines have to pass both filters: within one, the more detailed directive would win.
fn discreet(chosen: EnvFilter) -> impl SubscriberExt + SubscriberInitExt + for<'a> LookupSpan<'a> {
    let libraries = DISCREET.map(|library| (library, LevelFilter::WARN));
    let all = Targets::new().with_default(LevelFilter::TRACE);
    tracing_subscriber::registry().with(chosen).with(all.with_targets(libraries))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use super::*;

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
}
