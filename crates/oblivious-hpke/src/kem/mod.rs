//! KEMs plugged in underneath the `hpke` crate.

mod x25519;

pub(crate) use x25519::X25519;
