//! What is printed, and where.

mod meter;
mod sink;
mod write_out;

use std::path::PathBuf;

pub(crate) use self::meter::Meter;
pub(crate) use self::sink::Sink;
pub(crate) use self::write_out::{Facts, write_out};

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Also print the status and header of the response.
    #[arg(short = 'i', long, alias = "show-headers")]
    pub(crate) include: bool,

    /// Show each step on standard error: keys, sizes, statuses, and the header fields of request
    /// and response, without credentials.
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,

    /// Show neither errors nor warnings nor progress.
    #[arg(short = 's', long)]
    pub(crate) silent: bool,

    /// Show errors even with -s.
    #[arg(short = 'S', long)]
    pub(crate) show_error: bool,

    /// Fail with exit code 22, and print no content, if the status is 400 or more.
    #[arg(short = 'f', long, conflicts_with = "fail_with_body")]
    pub(crate) fail: bool,

    /// The same, but print the content.
    #[arg(long)]
    pub(crate) fail_with_body: bool,

    /// Write to a file instead of standard output.
    #[arg(short = 'o', long, value_name = "FILE", conflicts_with = "remote_name")]
    pub(crate) output: Option<PathBuf>,

    /// Write to a file in this folder that has the name at the end of the URL's path.
    #[arg(short = 'O', long)]
    pub(crate) remote_name: bool,

    /// With -O, take the name from the response's Content-Disposition if it has one. A file that
    /// exists is not replaced then.
    #[arg(short = 'J', long, requires = "remote_name")]
    pub(crate) remote_header_name: bool,

    /// Write the status and header of the response to a file; - is standard output.
    #[arg(short = 'D', long, value_name = "FILE")]
    pub(crate) dump_header: Option<PathBuf>,

    /// Print this after the response, with %{http_code}, %{size_download} and other variables as
    /// curl has them, and %{ohttp_key_id}, %{ohttp_kem}, %{ohttp_suite}, %{ohttp_size_request},
    /// %{ohttp_size_response}, %{relay_code}. @FILE reads it from a file.
    #[arg(short = 'w', long, value_name = "FORMAT|@FILE", allow_hyphen_values = true)]
    pub(crate) write_out: Option<String>,

    /// The longest response, in bytes. By default 64 MiB; in chunks there is no limit.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_filesize: Option<u64>,

    /// Show no progress of long transfers.
    #[arg(long)]
    pub(crate) no_progress_meter: bool,
}
