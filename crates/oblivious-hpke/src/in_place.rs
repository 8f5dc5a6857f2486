//! The layout that requests and responses share: a clear prefix, a message encrypted in place, a
//! tag.

use bytes::{Buf, BytesMut};

use crate::{
    Random, SealError,
    random::Generator,
    suite::{Failed, TAG_LEN},
};

/// Appends a sealed message to `out`.
///
/// `write` appends the plaintext behind `prefix_len` bytes that are kept free; then `seal` fills
/// in the prefix, encrypts the message in place and fills in the tag. After an error `out` is as
/// it was, and holds no plaintext.
pub(crate) fn seal<T, E: From<SealError>>(
    out: &mut BytesMut,
    prefix_len: usize,
    write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    seal: impl FnOnce(&mut [u8], &mut [u8], &mut [u8; TAG_LEN]) -> Result<T, Failed>,
) -> Result<T, E> {
    let start = out.len();
    let message_start = start + prefix_len;
    out.resize(message_start, 0);
    if let Err(error) = write(out) {
        undo(out, start);
        return Err(error);
    }
    if out.len() < message_start {
        undo(out, start);
        return Err(SealError::BufferShrunk.into());
    }
    let mut tag = [0; TAG_LEN];
    let (prefix, message) = out[start..].split_at_mut(prefix_len);
    match seal(prefix, message, &mut tag) {
        Ok(sealed) => {
            out.extend_from_slice(&tag);
            Ok(sealed)
        }
        Err(Failed) => {
            undo(out, start);
            Err(SealError::Refused.into())
        }
    }
}

/// A `write` for [`seal`] that copies.
pub(crate) fn append(out: &mut BytesMut, message: &[u8]) -> Result<(), SealError> {
    out.extend_from_slice(message);
    Ok(())
}

/// Runs `seal` with randomness. If there is none, removes what was appended to `out`.
pub(crate) fn with_random<T, E: From<SealError>>(
    random: &'static dyn Random,
    out: &mut BytesMut,
    seal: impl FnOnce(&mut BytesMut, &mut Generator) -> Result<T, E>,
) -> Result<T, E> {
    let (start, mut generator) = (out.len(), Generator::new(random));
    let sealed = seal(out, &mut generator);
    // Checked first, since a failed generator causes the other failures.
    if let Err(error) = generator.check() {
        undo(out, start);
        return Err(SealError::from(error).into());
    }
    sealed
}

/// Wipes and removes what was appended behind `start`.
fn undo(out: &mut BytesMut, start: usize) {
    if let Some(appended) = out.get_mut(start..) {
        appended.fill(0);
    }
    out.truncate(start);
}

/// A sealed message taken apart; `None` if it is shorter than its prefix and tag.
pub(crate) fn split(
    sealed: &mut [u8],
    prefix_len: usize,
) -> Option<(&[u8], &mut [u8], &[u8; TAG_LEN])> {
    let (prefix, rest) = sealed.split_at_mut_checked(prefix_len)?;
    let (message, tag) = rest.split_last_chunk_mut()?;
    Some((prefix, message, tag))
}

/// Reduces a buffer that was opened in place to the message.
pub(crate) fn strip(mut opened: BytesMut, prefix_len: usize) -> BytesMut {
    opened.truncate(opened.len() - TAG_LEN);
    opened.advance(prefix_len);
    opened
}
