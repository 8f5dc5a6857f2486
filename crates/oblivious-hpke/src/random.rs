//! Where randomness comes from.

use core::{convert::Infallible, fmt};

use rand_core::{TryCryptoRng, TryRng};
use thiserror::Error;

use crate::SealError;

/// A source of randomness for keys and nonces.
///
/// A [`Provider`](crate::Provider) draws from the operating system unless it [is
/// given](crate::Provider::with_random) one of these: on a system without such a generator, or to
/// reproduce a test vector. Anyone who can predict its output can read the messages.
pub trait Random: Send + Sync {
    /// Fills all of `out` with bytes that nobody else can predict.
    ///
    /// # Errors
    /// If there is no randomness. Whatever was made from `out` is then discarded.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// There is no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no randomness is available: the provider's generator failed, or there is none")]
pub struct RandomError;

/// The operating system's generator. Without the feature `getrandom` there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    #[cfg(feature = "getrandom")]
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(out).map_err(|_| RandomError)
    }

    #[cfg(not(feature = "getrandom"))]
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

/// A source of randomness, as the infallible generator that the KEMs need.
///
/// It remembers a failure instead of panicking: call [`check`](Self::check) before anything that
/// was made with it is used.
pub(crate) struct Generator {
    random: &'static dyn Random,
    outcome: Result<(), RandomError>,
}

impl Generator {
    pub(crate) fn new(random: &'static dyn Random) -> Self {
        Self { random, outcome: Ok(()) }
    }

    /// Whether all bytes that were asked for were random.
    pub(crate) fn check(&self) -> Result<(), RandomError> {
        self.outcome
    }
}

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.outcome = self.outcome.and(self.random.fill(out));
        Ok(())
    }
}

impl TryCryptoRng for Generator {}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").finish_non_exhaustive()
    }
}

impl From<RandomError> for SealError {
    fn from(_: RandomError) -> Self {
        Self::Randomness
    }
}
