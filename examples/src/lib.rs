//! What the example programs share: settings, logs, metrics, reloads and shutdown; and, for those
//! that show something on one machine, its parties and witnesses. Everything else that they need
//! for the network is in the crate `oblivious-hyper`.

pub mod admin;
mod config_file;
mod descriptors;
pub mod error_report;
mod flags;
pub mod listen;
pub mod logging;
pub mod loopback;
pub mod program;
pub mod provider;
pub mod reload;
pub mod seconds;
pub mod server;
pub mod settings;
pub mod shutdown;
pub mod witness;
