//! Files with secrets: small, and only for their owner.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zeroize::Zeroizing;

/// The longest file that is read, in bytes: 256 keys of the longest form fit.
const MAX_LEN: usize = 64 * 1024;

/// A file with a secret cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Users other than its owner may open it.
    #[error(
        "{} contains a secret and is open to other users: chmod 600 it, and treat the secret as \
         known to them",
        path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
    },
    /// It is longer than any such file.
    #[error("{} is too long to be a file of keys", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file that, on Unix, only its owner may open.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let failed = |source| SecretFileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    if is_open_to_others(&file).map_err(failed)? {
        return Err(SecretFileError::OpenToOthers { path: path.to_owned() });
    }
    // Never grown, since that would leave a copy behind.
    let mut content = Zeroizing::new(vec![0; MAX_LEN + 1]);
    let mut len = 0;
    loop {
        match file.read(&mut content[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if len > MAX_LEN {
        return Err(SecretFileError::TooLong { path: path.to_owned() });
    }
    content.truncate(len);
    Ok(content)
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    // Checked on the open file, so that it cannot be replaced in between.
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> io::Result<bool> {
    Ok(false)
}
