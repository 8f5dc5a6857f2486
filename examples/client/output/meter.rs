//! The progress of long transfers, on a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::OutputArgs;

/// Shorter transfers show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar for what is sent and what is received.
pub(crate) struct Meter {
    begun: Instant,
    sent: Arc<AtomicU64>,
    to_send: Option<u64>,
    received: u64,
    to_receive: Option<u64>,
    bar: Option<ProgressBar>,
    is_shown: bool,
}

impl Meter {
    /// A meter of an upload that counts in `sent`, shown if somebody is there to look at it and it
    /// does not get into the output.
    pub(crate) fn new(args: &OutputArgs, to_send: Option<u64>, sent: Arc<AtomicU64>) -> Self {
        let to_terminal =
            args.output.is_none() && !args.remote_name && std::io::stdout().is_terminal();
        let is_unwanted = args.silent || args.verbose || args.no_progress_meter || to_terminal;
        let is_shown = !is_unwanted && std::io::stderr().is_terminal();
        let (received, to_receive, bar) = (0, None, None);
        Self { begun: Instant::now(), sent, to_send, received, to_receive, bar, is_shown }
    }

    /// How long the response is going to be, if that is known.
    pub(crate) fn expect(&mut self, length: Option<u64>) {
        self.to_receive = length;
    }

    /// Notes so many bytes more.
    pub(crate) fn note(&mut self, bytes: usize) {
        self.received += bytes as u64;
        self.show();
    }

    /// Shows how far it is.
    pub(crate) fn show(&mut self) {
        if !self.is_shown || self.begun.elapsed() < PATIENCE {
            return;
        }
        let receives = self.received > 0;
        let (position, length) = match receives {
            true => (self.received, self.to_receive),
            false => (self.sent.load(Ordering::Relaxed), self.to_send),
        };
        let bar = self.bar.get_or_insert_with(|| ProgressBar::no_length().with_elapsed(PATIENCE));
        bar.set_style(style(length.is_some()));
        bar.set_message(if receives { "received" } else { "sent" });
        if let Some(length) = length {
            bar.set_length(length);
        }
        bar.set_position(position);
    }

    /// Takes it away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(has_length: bool) -> ProgressStyle {
    let template = match has_length {
        true => "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go",
        false => "{msg} {bytes}, {bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
