//! Randomness from the operating system.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// The operating system's generator, as the infallible generator that the KEMs ask for.
///
/// It remembers a failure instead of panicking: who uses it must throw away what was made with it
/// when [`failed`](Self::failed) says so.
#[derive(Default)]
pub(crate) struct SystemRng {
    failed: bool,
}

impl SystemRng {
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }
}

impl TryRng for SystemRng {
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
        self.failed |= getrandom::fill(out).is_err();
        Ok(())
    }
}

impl TryCryptoRng for SystemRng {}
