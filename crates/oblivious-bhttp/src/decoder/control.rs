//! The control data of requests.

use oblivious_wire::VarInt;

use crate::control::Parts;
use crate::error::{DecodeError, Limit};
use crate::input::Input;

/// Where the four parts of the control data lie at the front; `None` if some is still missing.
pub(super) fn control_parts(input: &mut Input, limit: usize) -> Result<Option<Parts>, DecodeError> {
    let mut need = 0;
    loop {
        if let Some(parts) = split_control(input.view(), limit, &mut need)? {
            return Ok(Some(parts));
        }
        if !input.fill(need) {
            return Ok(None);
        }
    }
}

/// The parts, if all of them are in `bytes`; otherwise `need` is how many bytes are needed, as far
/// as can be told.
#[inline]
fn split_control(
    bytes: &[u8],
    limit: usize,
    need: &mut usize,
) -> Result<Option<Parts>, DecodeError> {
    let mut parts = [(0, 0); 4];
    let mut at = 0;
    for part in &mut parts {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((length, width)) = VarInt::decode(rest) else {
            // Only this length, though other parts follow: it may exceed the limit.
            let width = rest.first().map_or(1, |&first| VarInt::len_from_first_byte(first));
            *need = at.saturating_add(width);
            return Ok(None);
        };
        let start = at + width;
        let length = within(length, limit, Limit::ControlData)?;
        at = start.saturating_add(length);
        if at > limit {
            return Err(DecodeError::Limit(Limit::ControlData));
        }
        *part = (start, at);
    }
    *need = at;
    Ok((at <= bytes.len()).then_some(parts))
}

/// A claimed length, if the limit allows it.
pub(super) fn within(claimed: VarInt, limit: usize, name: Limit) -> Result<usize, DecodeError> {
    match usize::try_from(claimed.get()) {
        Ok(length) if length <= limit => Ok(length),
        _ => Err(DecodeError::Limit(name)),
    }
}
