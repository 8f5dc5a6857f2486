//! Standard input and output, for messages.

use std::io::{Read, Write};
use std::path::Path;

use crate::failure::Failure;

/// All of standard input.
pub(crate) fn read() -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut all);
    read.map_err(|source| Failure::Read { path: "standard input".into(), source })?;
    Ok(all)
}

/// Writes to a file, or to standard output.
pub(crate) fn write(path: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    let written = match path {
        Some(path) if path != Path::new("-") => std::fs::write(path, bytes),
        _ => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
    };
    let path = path.unwrap_or(Path::new("standard output")).to_owned();
    written.map_err(|source| Failure::Write { path, source })
}
