//! The control data of requests.

use oblivious_wire::VarInt;

use crate::control::Parts;
use crate::error::{DecodeError, Limit};

/// Where the four parts of the control data of a request lie; or how many bytes have to be there
/// to tell.
#[inline]
pub(super) fn split_control(
    bytes: &[u8],
    limit: usize,
) -> Result<Result<Parts, usize>, DecodeError> {
    let mut parts = [(0, 0); 4];
    let mut at = 0;
    for part in &mut parts {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((length, width)) = VarInt::decode(rest) else {
            let width = rest.first().map_or(1, |&first| VarInt::len_from_first_byte(first));
            // No more than this length, though other parts follow: it may exceed the limit.
            return Ok(Err(at + width));
        };
        let start = at + width;
        let length = within(length, limit, Limit::ControlData)?;
        at = start.saturating_add(length);
        if at > limit {
            return Err(DecodeError::Limit(Limit::ControlData));
        }
        *part = (start, at);
    }
    Ok(if at <= bytes.len() { Ok(parts) } else { Err(at) })
}

/// A claimed length, if the limit allows it.
pub(super) fn within(claimed: VarInt, limit: usize, name: Limit) -> Result<usize, DecodeError> {
    match usize::try_from(claimed.get()) {
        Ok(length) if length <= limit => Ok(length),
        _ => Err(DecodeError::Limit(name)),
    }
}
