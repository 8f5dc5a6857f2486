//! Where the response goes.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use http::{HeaderMap, StatusCode};

use crate::failure::Failure;

/// Standard output or a file.
pub(crate) struct Sink {
    path: PathBuf,
    writer: Box<dyn Write>,
    /// Nobody has asked for binary content on a terminal.
    guards_terminal: bool,
}

impl Sink {
    /// A file, which is made new; `-` and `None` are standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) if path != Path::new("-") => {
                let made = File::create(path);
                let file = made.map_err(|source| Failure::Write { path: path.into(), source })?;
                Ok(Self { path: path.into(), writer: Box::new(file), guards_terminal: false })
            }
            explicit => {
                let stdout = io::stdout();
                let guards_terminal = explicit.is_none() && stdout.is_terminal();
                let path = "standard output".into();
                Ok(Self { path, writer: Box::new(stdout.lock()), guards_terminal })
            }
        }
    }

    /// A file that does not exist yet.
    pub(crate) fn create_new(path: &Path) -> Result<Self, Failure> {
        let made = File::create_new(path);
        let file = made.map_err(|source| Failure::Write { path: path.into(), source })?;
        Ok(Self { path: path.into(), writer: Box::new(file), guards_terminal: false })
    }

    /// Writes a part of the content, at once.
    pub(crate) fn write_content(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.guards_terminal && bytes.contains(&0) {
            return Err(Failure::BinaryOnTerminal);
        }
        self.write(bytes)
    }

    /// Writes the status and the fields. The inner exchange has no version of HTTP; the status
    /// stands where one looks for it.
    pub(crate) fn write_header(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<(), Failure> {
        let mut text = format!("HTTP {status}\r\n").into_bytes();
        for (name, value) in headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        self.write(&text)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.writer.write_all(bytes).and_then(|()| self.writer.flush());
        written.map_err(|source| Failure::Write { path: self.path.clone(), source })
    }
}
