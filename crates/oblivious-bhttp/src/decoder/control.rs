//! The control data of requests.

use oblivious_wire::VarInt;

use crate::control::Parts;
use crate::error::{DecodeError, Limit};
use crate::input::Input;

/// Where the four parts of the control data at the front lie; `None` if not all of it is there.
#[inline]
pub(super) fn control_parts(input: &mut Input, limit: usize) -> Result<Option<Parts>, DecodeError> {
    let mut parts = [(0, 0); 4];
    let mut at = 0;
    for part in &mut parts {
        // Each length is looked at before what follows it is there: it may exceed the limit.
        let Some((length, start)) = input.varint_at(at) else { return Ok(None) };
        let length = within(length, limit, Limit::ControlData)?;
        at = start.saturating_add(length);
        if at > limit {
            return Err(DecodeError::Limit(Limit::ControlData));
        }
        *part = (start, at);
    }
    Ok(input.fill(at).then_some(parts))
}

/// A claimed length, if the limit allows it.
pub(super) fn within(claimed: VarInt, limit: usize, name: Limit) -> Result<usize, DecodeError> {
    match usize::try_from(claimed.get()) {
        Ok(length) if length <= limit => Ok(length),
        _ => Err(DecodeError::Limit(name)),
    }
}
