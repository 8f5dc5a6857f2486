//! Keys that outlive the process.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde_json::{Value, json};

/// Keeps a list of key configurations from one run of the program to the next.
///
/// Stored keys are used without another check, so others must not be able to write to the store.
pub trait KeyStore: Send + Sync + 'static {
    /// What was stored last, if anything was.
    ///
    /// # Errors
    /// If it cannot be read. The keys are fetched then.
    fn load(&self) -> io::Result<Option<StoredKeys>>;

    /// Stores keys, replacing those before. Called when keys have been fetched, which is seldom.
    ///
    /// # Errors
    /// If that fails. The keys are used all the same.
    fn save(&self, keys: &StoredKeys) -> io::Result<()>;
}

/// A list, and how long it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKeys {
    /// The name of the source: another one's keys are not taken.
    pub source: String,
    /// The list, as `application/ohttp-keys`.
    pub list: Bytes,
    /// When it must be fetched again at the latest.
    pub fresh_until: SystemTime,
}

/// A file with keys, in JSON, replaced as a whole.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

/// Longer files are not read.
const MAX_LEN: u64 = 1 << 20;

impl KeyFile {
    /// The file at `path`; its folder must exist.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }
}

impl KeyStore for KeyFile {
    fn load(&self) -> io::Result<Option<StoredKeys>> {
        let read = fs::metadata(&self.path).and_then(|metadata| match metadata.len() {
            0..=MAX_LEN => fs::read(&self.path),
            _ => Err(invalid()),
        });
        match read {
            Ok(text) => parse(&text).map(Some).ok_or_else(invalid),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&self, keys: &StoredKeys) -> io::Result<()> {
        let fresh_until = keys.fresh_until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let list = hex::encode(&keys.list);
        let document = json!({ "source": keys.source, "fresh_until": fresh_until, "list": list });
        // Written beside it and moved, so that the file is never incomplete.
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".{}", std::process::id()));
        fs::write(&beside, document.to_string())?;
        fs::rename(&beside, &self.path)
    }
}

fn parse(text: &[u8]) -> Option<StoredKeys> {
    let document: Value = serde_json::from_slice(text).ok()?;
    let fresh_until = Duration::from_secs(document.get("fresh_until")?.as_u64()?);
    Some(StoredKeys {
        source: document.get("source")?.as_str()?.to_owned(),
        list: hex::decode(document.get("list")?.as_str()?).ok()?.into(),
        fresh_until: UNIX_EPOCH.checked_add(fresh_until)?,
    })
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file does not contain stored keys")
}
