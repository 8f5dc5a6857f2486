//! The state file of a ratchet: the root of the oldest epoch that is still accepted.
//!
//! ```text
//! oblivious-gateway ratchet 1
//! interval 86400
//! epoch 20782
//! root <64 hexadecimal digits>
//! check <16 hexadecimal digits: the first 8 bytes of SHA-256 of the lines before>
//! ```

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use oblivious_hpke::UnixSeconds;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    SecretFileError,
    derive::{ROOT_LEN, Root},
    epochs::Epochs,
    secret_file,
};

const HEADER: &str = "oblivious-gateway ratchet 1";
/// The length of the check, in bytes.
const CHECK_LEN: usize = 8;
/// More room than the text needs, so that it is never moved.
const TEXT_CAPACITY: usize = 256;
/// How many epochs the ratchet may advance at once, so that no clock keeps the processor busy for
/// more than a few seconds. It does not protect the root: with epochs of a day it is 2,870 years,
/// and a clock that is ahead by less destroys the keys that seem to have expired.
const MAX_STEPS: u64 = 1 << 20;

/// Where a ratchet keeps its root.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
}

/// What is in the file.
pub(crate) struct State {
    interval: u64,
    pub(crate) epoch: u64,
    pub(crate) root: Root,
}

impl StateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the file with a new root, whose first epoch is the oldest that is accepted at `now`.
    /// Returns false, and does nothing, if it already exists.
    pub(crate) fn create(&self, epochs: &Epochs, now: UnixSeconds) -> Result<bool, StateError> {
        // The usual case, in which the folder need not be writable.
        if fs::symlink_metadata(&self.path).is_ok() {
            return Ok(false);
        }
        let root = Root::generate().ok_or(StateError::Randomness)?;
        let state = State { interval: epochs.interval(), epoch: epochs.oldest(now), root };
        let made = self.write_beside(&self.path, &state).and_then(|temporary| {
            // Unlike a rename, this fails if another process was faster.
            let linked = fs::hard_link(&temporary, &self.path);
            fs::remove_file(&temporary)?;
            linked?;
            sync_folder(&self.path)
        });
        match made {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(source) => Err(self.not_written(source)),
        }
    }

    /// The state at `now`. If it has roots that have expired, they are removed from the file
    /// first.
    pub(crate) fn at(&self, epochs: &Epochs, now: UnixSeconds) -> Result<State, StateError> {
        let mut state = self.load()?;
        if state.interval != epochs.interval() {
            let (in_file, in_settings) = (state.interval, epochs.interval());
            return Err(StateError::OtherInterval { in_file, in_settings });
        }
        if state.epoch > epochs.current(now) {
            let from = epochs.published_from(state.epoch);
            return Err(StateError::FromTheFuture { seconds: from.since(now) });
        }
        let oldest = epochs.oldest(now);
        let steps = oldest.saturating_sub(state.epoch);
        if steps > MAX_STEPS {
            return Err(StateError::FromThePast { epochs: steps });
        }
        if steps > 0 {
            for _ in 0..steps {
                state.root = state.root.next();
            }
            state.epoch = oldest;
            self.replace(&state)?;
        } else {
            self.remove_leftover()?;
        }
        Ok(state)
    }

    fn load(&self) -> Result<State, StateError> {
        let text = secret_file::read(&self.path).map_err(|error| match error {
            SecretFileError::Read { path, source } if source.kind() == io::ErrorKind::NotFound => {
                StateError::Missing { path }
            }
            error => error.into(),
        })?;
        State::decode(&text).ok_or_else(|| StateError::Damaged { path: self.path.clone() })
    }

    /// All or nothing, even if the process or the machine stops.
    fn replace(&self, state: &State) -> Result<(), StateError> {
        let replace = || {
            // If the path is a link, what it points to is replaced.
            let path = fs::canonicalize(&self.path)?;
            fs::rename(self.write_beside(&path, state)?, &path)?;
            sync_folder(&path)
        };
        replace().map_err(|source| self.not_written(source))
    }

    /// Writes the state to a new file beside `path`, and returns where.
    fn write_beside(&self, path: &Path, state: &State) -> io::Result<PathBuf> {
        let temporary = temporary(path);
        remove_if_there(&temporary)?;
        let mut file = create_private(&temporary)?;
        file.write_all(state.encode().as_bytes())?;
        file.sync_all()?;
        Ok(temporary)
    }

    /// Removes what an interrupted replacement left behind: it contains a root too, which would
    /// outlive its epoch there.
    fn remove_leftover(&self) -> Result<(), StateError> {
        let remove = || remove_if_there(&temporary(&fs::canonicalize(&self.path)?));
        remove().map_err(|source| self.not_written(source))
    }

    fn not_written(&self, source: io::Error) -> StateError {
        StateError::NotWritten { path: self.path.clone(), source }
    }
}

impl State {
    fn encode(&self) -> Zeroizing<String> {
        let mut root = Zeroizing::new([0; 2 * ROOT_LEN]);
        hex::encode_to_slice(self.root.expose(), &mut *root).expect("two digits a byte");
        let root = str::from_utf8(&*root).expect("digits are text");
        let mut text = Zeroizing::new(String::with_capacity(TEXT_CAPACITY));
        let (interval, epoch) = (self.interval, self.epoch);
        writeln!(text, "{HEADER}\ninterval {interval}\nepoch {epoch}\nroot {root}")
            .and_then(|()| {
                let check = check(text.as_bytes());
                writeln!(text, "check {check}")
            })
            .expect("a string takes everything");
        text
    }

    /// Accepts exactly what [`encode`](Self::encode) writes.
    fn decode(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let mut lines = text.lines();
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        value(HEADER.strip_suffix(" 1")?).filter(|&version| version == "1")?;
        let interval = value("interval")?.parse().ok()?;
        let epoch = value("epoch")?.parse().ok()?;
        let mut root = Zeroizing::new([0; ROOT_LEN]);
        hex::decode_to_slice(value("root")?, &mut *root).ok()?;
        let state = Self { interval, epoch, root: Root::new(root) };
        (state.encode().as_str() == text).then_some(state)
    }
}

/// Detects damage, not forgery: anyone who can write the file can also read it.
fn check(text: &[u8]) -> String {
    hex::encode(&Sha256::digest(text)[..CHECK_LEN])
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a new file that only its owner may open.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a rename in the folder of `path` durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The state of a ratchet cannot be used. The file is then unchanged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no file.
    #[error(
        "there is no state file {}: create one, or copy that of another replica", path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// It is not a state file, is of another version, or is damaged.
    #[error(
        "{} is not a whole state file of this version: put a copy of another replica's there, or \
         move it away and create a new one, after which clients have to fetch the keys again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It was made for another interval.
    #[error(
        "the state file counts epochs of {in_file} seconds, but the interval is set to \
         {in_settings}: set it back, or move the file away and create a new one"
    )]
    OtherInterval {
        /// The file's interval, in seconds.
        in_file: u64,
        /// The interval of the settings, in seconds.
        in_settings: u64,
    },
    /// Its root belongs to an epoch that has not begun, so the present keys cannot be derived.
    #[error(
        "the state file has no keys for now, the first ones are those in {seconds} seconds: is the \
         clock right? If it is, the file was used with a wrong one; put a copy of another replica's \
         there, or create a new one"
    )]
    FromTheFuture {
        /// How far ahead its first epoch is, in seconds.
        seconds: u64,
    },
    /// It is so old that more likely the clock is wrong.
    #[error(
        "the state file is {epochs} epochs behind: is the clock right? If it is, move the file away \
         and create a new one"
    )]
    FromThePast {
        /// How many epochs it is behind.
        epochs: u64,
    },
    /// It cannot be replaced, or created.
    #[error("cannot write {} or in its folder: {source}", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gave no randomness.
    #[error("the operating system's random number generator failed; no state file was made")]
    Randomness,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State { interval: 60, epoch: 7, root: Root::new(Zeroizing::new([0xab; ROOT_LEN])) }
    }

    #[test]
    fn the_format_is_what_the_documentation_says() {
        let text = state().encode();
        let root = "ab".repeat(ROOT_LEN);
        let lines = format!("oblivious-gateway ratchet 1\ninterval 60\nepoch 7\nroot {root}\n");
        let digest = hex::encode(Sha256::digest(&lines));
        assert_eq!(*text, format!("{lines}check {}\n", &digest[..16]));
        assert!(text.len() < TEXT_CAPACITY);

        let read = State::decode(text.as_bytes()).unwrap();
        assert_eq!((read.interval, read.epoch), (60, 7));
        assert_eq!(read.root.expose(), &[0xab; ROOT_LEN]);
    }

    #[test]
    fn every_damage_is_noticed() {
        let text = state().encode();
        for len in 0..text.len() {
            assert!(State::decode(&text.as_bytes()[..len]).is_none(), "cut to {len}");
        }
        for index in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[index] ^= 1 << bit;
                assert!(State::decode(&bytes).is_none(), "byte {index} bit {bit}");
            }
        }
        assert!(State::decode(format!("{}\n", *text).as_bytes()).is_none());
        let later = text.replace("ratchet 1", "ratchet 2");
        assert!(State::decode(later.as_bytes()).is_none());
    }
}
