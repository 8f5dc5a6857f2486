//! Targets for `oblivious-bhttp`.
//!
//! All of them read their input as a [`Case`](case::Case), so one corpus can feed another target.

mod case;
mod convert;
mod decode;
mod roundtrip;
mod split;

pub use convert::convert;
pub use decode::decode;
pub use roundtrip::roundtrip;
pub use split::split;
