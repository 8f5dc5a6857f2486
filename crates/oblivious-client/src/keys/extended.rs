//! Lists whose keys say when they are valid (draft-schinazi-httpbis-ohttp-ext-key-config).

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use oblivious_keys::{DecodeError, ExtendedKeyConfigList};
use oblivious_service::Clock;

/// What to ask for: these lists, or else the plain ones.
pub(crate) fn accepted() -> HeaderValue {
    HeaderValue::from_static("application/ohttp-keys-ext-00, application/ohttp-keys;q=0.9")
}

/// Whether an answer is such a list.
pub(crate) fn is_extended(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().ok().and_then(|text| text.split(';').next());
    let expected = ExtendedKeyConfigList::MEDIA_TYPE;
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// The keys that are valid now, as a plain list, and for how long all of them are; `None` if none
/// is.
pub(crate) fn valid_now(
    body: &[u8],
    clock: &dyn Clock,
) -> Result<Option<(Bytes, Option<Duration>)>, DecodeError> {
    let now = clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let valid = ExtendedKeyConfigList::decode(body)?.valid_at(now);
    // At the last second they are still valid.
    let rest = |until: u64| Duration::from_secs((until - now).saturating_add(1));
    Ok(valid.map(|(list, until)| (list.encode(), until.map(rest))))
}
