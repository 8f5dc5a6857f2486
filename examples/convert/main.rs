//! HTTP/1.1 text to binary HTTP and back, from standard input to standard output, and a readable
//! dump of binary messages.
//!
//! ```sh
//! printf 'GET /hello.txt HTTP/1.1\r\nHost: www.example.com\r\n\r\n' \
//!     | cargo run --release --example convert -- encode \
//!     | cargo run --release --example convert -- dump
//! ```

mod connection;
mod dump;
mod read;
mod write;

use std::io::{ErrorKind, Read, Write};
use std::process::ExitCode;

use anyhow::Context;
use bytes::Bytes;
use clap::{Parser, Subcommand};
use examples::error_report::{Hint, report};
use oblivious_http::bhttp::{
    DecodeError, DecodeOptions, EncodeError, EncodeOptions, Framing, Padding, Request, Response,
};

/// Converts between HTTP/1.1 text and binary HTTP (RFC 9292), from standard input to standard
/// output.
///
/// It detects whether a message is a request or a response. Only valid messages are converted: what
/// one of the two formats cannot hold is an error, and is never changed to fit. Fields that concern
/// a connection are left out.
#[derive(Parser)]
#[command(name = "convert", version)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// HTTP/1.1 text to binary HTTP.
    ///
    /// Content comes as `content-length` says, in chunks (with trailers), or in a response up to
    /// the end of the input; informational responses may precede a response. Lines may end without
    /// a carriage return.
    Encode {
        /// Use the framing of indeterminate length, without lengths before the parts.
        #[arg(long)]
        indeterminate: bool,

        /// Pad the message with zeros to a multiple of N bytes.
        #[arg(long, value_name = "N", default_value_t = 0)]
        pad: usize,

        /// The scheme of a request whose text does not name one.
        #[arg(long, value_name = "SCHEME", default_value = "https")]
        scheme: String,

        #[command(flatten)]
        answers: Answers,
    },
    /// Binary HTTP to HTTP/1.1 text.
    ///
    /// The program writes its own field for the length of the content, whatever the message says. A
    /// request for a scheme other than https has its whole URL in the first line.
    Decode {
        #[command(flatten)]
        answers: Answers,

        #[command(flatten)]
        lenient: Lenient,
    },
    /// Shows what a binary message consists of.
    ///
    /// For an invalid message it shows what precedes the fault.
    Dump {
        /// Show all content, not only its beginning.
        #[arg(long)]
        all: bool,

        #[command(flatten)]
        lenient: Lenient,
    },
}

#[derive(clap::Args)]
struct Answers {
    /// The method of the request that a response answers: after HEAD there is no content,
    /// whatever `content-length` says.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    request_method: String,
}

#[derive(clap::Args)]
struct Lenient {
    /// Accept two faults of some senders: a framing indicator that is repeated after informational
    /// responses, and padding that is not zero.
    #[arg(long)]
    lenient: bool,
}

impl Lenient {
    fn options(&self) -> DecodeOptions {
        let mut options = DecodeOptions::default();
        options.accept_repeated_framing = self.lenient;
        options.accept_nonzero_padding = self.lenient;
        options
    }
}

/// A message of either kind.
enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    fn decode(message: Bytes, answers: &str, options: &DecodeOptions) -> Result<Self, DecodeError> {
        match Request::decode_with(message.clone(), options) {
            Err(DecodeError::ExpectedRequest) => {
                Response::decode_with(message, answers, options).map(Self::Response)
            }
            request => request.map(Self::Request),
        }
    }

    fn encode(&self, options: &EncodeOptions) -> Result<Bytes, EncodeError> {
        match self {
            Self::Request(request) => request.encode(options),
            Self::Response(response) => response.encode(options),
        }
    }
}

fn main() -> ExitCode {
    report(run(&Args::parse().what))
}

fn run(what: &What) -> anyhow::Result<()> {
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input).context("cannot read standard input")?;
    match what {
        What::Encode { indeterminate, pad, scheme, answers } => {
            let message = read::message(&input, scheme, &answers.request_method)
                .context("the input is not an HTTP/1.1 message that can be converted")?;
            let framing =
                if *indeterminate { Framing::IndeterminateLength } else { Framing::KnownLength };
            let options = EncodeOptions::default()
                .with_framing(framing)
                .with_padding(Padding::ToMultiple(*pad));
            let encoded = message
                .encode(&options)
                .context("the message cannot be converted to binary HTTP")?;
            print(&encoded)
        }
        What::Decode { answers, lenient } => {
            let decoded =
                Message::decode(input.into(), &answers.request_method, &lenient.options());
            let message = decoded.map_err(|error| explain(error, lenient))?;
            let head = answers.request_method == "HEAD";
            let text = write::message(&message, head)
                .context("the message cannot be converted to HTTP/1.1")?;
            print(&text)
        }
        What::Dump { all, lenient } => {
            let (text, result) = dump::message(input.into(), &lenient.options(), *all);
            print(text.as_bytes())?;
            result.map_err(|error| explain(error, lenient))
        }
    }
}

/// Adds what to do to errors where there is something to do.
fn explain(error: DecodeError, lenient: &Lenient) -> anyhow::Error {
    let forgivable = matches!(error, DecodeError::RepeatedFraming | DecodeError::NonZeroPadding);
    let text = matches!(error, DecodeError::Framing);
    let error = anyhow::Error::from(error).context("the input is not a valid binary message");
    if forgivable && !lenient.lenient {
        error.context(Hint("some senders make this fault; --lenient accepts it"))
    } else if text {
        error.context(Hint("this may be HTTP/1.1 text: that is for `encode`"))
    } else {
        error
    }
}

fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        // The reader has had enough, as with `| head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
