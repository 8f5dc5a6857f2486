//! Messages in chunks as HTTP bodies.

mod opening;
mod sealing;

pub use opening::{OpeningBody, OpeningError};
pub use sealing::{SealingBody, SealingError};
