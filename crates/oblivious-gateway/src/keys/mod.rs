//! The gateway's keys, over time (RFC 9458 §3, §6.4 and §6.6).
//!
//! A [`GatewayKeys`] is what a gateway has at one time: the keys that it accepts, and the
//! configurations that it publishes. It is made from a fixed ring, or by a [`KeySchedule`], which a
//! [`KeyRotation`] follows.
//!
//! # Epochs
//!
//! A schedule divides time into epochs: epoch = ⌊Unix time / interval⌋. Each epoch has one key of
//! each KEM, and only the keys of the present epoch are published: several keys of one KEM at a
//! time would split the clients into groups (RFC 9458 §7). A key is accepted
//!
//! - from the start of its epoch minus `skew`, since another replica's clock may run ahead,
//! - until the start of the next epoch plus `max_age`, for which clients keep a configuration, plus
//!   `grace`, for requests under way and clocks that run behind; that second is the last one
//!   included.
//!
//! ```text
//!            epoch 7                      epoch 8
//!  skew ┌──────────────────┐
//!  ◄────┤ key 7 published  ├─ max_age ─┬─ grace ─►  then key 7 is destroyed
//!       └──────────────────┘
//!                     skew ┌──────────────────┐
//!                     ◄────┤ key 8 published  ├─ ...
//! ```
//!
//! # Key ids
//!
//! The keys of all epochs are counted, KEM after KEM, and the count modulo the number of ids is the
//! id: with one KEM and without fixed keys that is the epoch modulo 256. The ids of fixed keys are
//! skipped. A schedule that would need more keys at a time than there are ids is refused.
//!
//! # Replicas
//!
//! Replicas agree without communicating: they have the same settings, the same fixed keys, and the
//! same seed or copies of one state file. From then on the clock decides.

mod derive;
mod epochs;
mod fixed;
mod go;
mod rotation;
mod schedule;
mod secret_file;
mod settings;
mod snapshot;
mod state;

pub use derive::{Seed, SeedError};
pub use fixed::{FixedKey, FixedKeyError};
pub use go::go_gateway_key;
pub use rotation::KeyRotation;
pub use schedule::KeySchedule;
pub use secret_file::SecretFileError;
pub use settings::{ScheduleError, ScheduleSettings};
pub use snapshot::{GatewayKeys, Published};
pub use state::StateError;
