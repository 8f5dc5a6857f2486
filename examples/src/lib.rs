//! What the command lines of the example programs share. Everything else that they need for the
//! network is in the crate `oblivious-hyper`.

pub mod cli;
pub mod provider;
