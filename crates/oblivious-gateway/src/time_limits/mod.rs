//! Limits on the time of an exchange in chunks.

mod deadline;
mod idle;
mod target_time;

pub(crate) use deadline::{has_passed, until};
pub(crate) use idle::Idle;
pub(crate) use target_time::{Renewal, TargetTime};
