//! What the parts of a message may be made of.
//!
//! Binary HTTP takes its rules from HTTP/2 (RFC 9292 §3.4 and §3.6). The decoder and the encoder
//! both apply the ones here, so neither accepts what the other refuses.

/// Which part of the control data of a request breaks its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlFault {
    Method,
    Scheme,
    Authority,
    Path,
}

/// Checks the control data of a request (RFC 9292 §3.4, RFC 9113 §8.3.1).
///
/// `extended_connect` tells whether the request has a `:protocol` field (RFC 8441 §4), with
/// which CONNECT has a scheme and a path like any other method.
pub(crate) fn check_control(
    method: &[u8],
    scheme: &[u8],
    authority: &[u8],
    path: &[u8],
    extended_connect: bool,
) -> Result<(), ControlFault> {
    if !matches!(method, b"GET" | b"POST") && !is_token(method) {
        return Err(ControlFault::Method);
    }
    if method == b"CONNECT" && !extended_connect {
        // RFC 9113 §8.5: a plain CONNECT has an authority and nothing else.
        return match (scheme, path) {
            (b"", b"") if authority.is_empty() || !is_authority(authority, true) => {
                Err(ControlFault::Authority)
            }
            (b"", b"") => Ok(()),
            (b"", _) => Err(ControlFault::Path),
            _ => Err(ControlFault::Scheme),
        };
    }
    if !is_scheme(scheme) {
        return Err(ControlFault::Scheme);
    }
    let web = default_port(scheme).is_some();
    if !is_authority(authority, web) {
        return Err(ControlFault::Authority);
    }
    if !is_path(path, web, method) {
        return Err(ControlFault::Path);
    }
    Ok(())
}

/// A token (RFC 9110 §5.6.2): what methods and field names are.
#[inline]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && classes(bytes) & NOT_TOKEN == 0
}

/// The classes of all the bytes together: a set of the bits below.
#[inline]
pub(crate) fn classes(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |all, &byte| all | CLASS[usize::from(byte)])
}

/// What [`classes`] says, for a field name: most names only have bytes of no class.
#[inline(always)]
pub(crate) fn name_classes(name: &[u8]) -> u8 {
    if all_bytes(name, is_common) { 0 } else { classes(name) }
}

/// The same for the name in the first `length` bytes. Together with the bytes behind it, a short
/// name is checked as one block.
#[inline(always)]
pub(crate) fn name_classes_within(bytes: &[u8], length: usize) -> u8 {
    match (bytes.first_chunk(), FIRST.get(length)) {
        (Some(block), Some(mask)) if all_common(block, mask) => 0,
        _ => name_classes(&bytes[..length]),
    }
}

/// The number of bytes below 0x20.
#[inline]
pub(crate) fn count_controls(bytes: &[u8]) -> usize {
    // Few enough at a time for a byte to count them, so that the compiler can vectorize it.
    let count = |few: &[u8]| few.iter().map(|&byte| u8::from(byte < 0x20)).sum::<u8>();
    bytes.chunks(240).map(|few| usize::from(count(few))).sum()
}

/// The byte cannot be in a token.
pub(crate) const NOT_TOKEN: u8 = 1;
/// The byte is an upper-case letter.
pub(crate) const UPPER: u8 = 2;

static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let mut class = 0;
        if !alphanumeric && !contains(b"!#$%&'*+-.^_`|~", byte) {
            class |= NOT_TOKEN;
        }
        if byte.is_ascii_uppercase() {
            class |= UPPER;
        }
        table[byte as usize] = class;
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

const fn contains(set: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// A scheme (RFC 3986 §3.1).
fn is_scheme(scheme: &[u8]) -> bool {
    // The schemes of nearly every message.
    if matches!(scheme, b"https" | b"http") {
        return true;
    }
    let rest = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(rest)
}

/// An authority, or nothing. For `http` and `https` it has no user information
/// (RFC 9113 §8.3.1).
pub(crate) fn is_authority(authority: &[u8], web: bool) -> bool {
    let can_be = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=:[]%".contains(&byte)
            || byte == b'@' && !web
    };
    all_bytes(authority, is_common) || authority.iter().all(|&byte| can_be(byte))
}

/// The path and query of a request: for `http` and `https` it begins with a slash, or is the
/// asterisk of OPTIONS (RFC 9113 §8.3.1).
fn is_path(path: &[u8], web: bool, method: &[u8]) -> bool {
    let form = match path {
        [b'/', ..] => true,
        b"*" => !web || method == b"OPTIONS",
        _ => !web,
    };
    // A path is ASCII without blanks, but bytes beyond ASCII do occur and do no harm. A '#' does
    // harm: URI parsers take what follows it for a fragment and drop it.
    form && all_bytes(path, |byte| byte > b' ' && byte != 0x7f && byte != b'#')
}

/// A field value (RFC 9113 §8.2.1).
#[inline(always)]
pub(crate) fn is_field_value(value: &[u8]) -> bool {
    let (Some(first), Some(last)) = (value.first(), value.last()) else {
        return true;
    };
    let blank = |byte| matches!(byte, b' ' | b'\t');
    // Nearly always the first comparison is all it takes.
    if (*first).min(*last) <= b' ' && (blank(*first) || blank(*last)) {
        return false;
    }
    // Control characters are rare, so the exact look is too.
    all_bytes(value, |byte| byte >= b' ')
        || !value.iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r'))
}

/// A number of bytes that compilers treat as one value, where the processor supports it.
type Block = [u8; 16];

/// Blocks with a one for each of the first so many bytes.
static FIRST: [Block; 17] = {
    let mut masks = [[0; 16]; 17];
    let mut length = 1;
    while length < masks.len() {
        masks[length] = masks[length - 1];
        masks[length][length - 1] = 1;
        length += 1;
    }
    masks
};

/// Whether the bytes that `mask` has a one for are all common.
#[inline(always)]
fn all_common(block: &Block, mask: &Block) -> bool {
    let uncommon = |(&byte, &mask): (&u8, &u8)| u8::from(!is_common(byte)) & mask;
    block.iter().zip(mask).map(uncommon).fold(0, |any, one| any | one) == 0
}

/// Lower-case letters, digits, hyphen and dot: most names and authorities have nothing else.
#[inline(always)]
fn is_common(byte: u8) -> bool {
    // Without branches, so that a block can be looked at as one value.
    (byte.wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10) | (byte.wrapping_sub(b'-') < 2)
}

/// Whether all bytes are fine, looked at in the largest blocks that there are enough bytes for.
#[inline(always)]
fn all_bytes(bytes: &[u8], is_fine: impl Fn(u8) -> bool + Copy) -> bool {
    in_blocks::<16>(bytes, is_fine)
        .or_else(|| in_blocks::<8>(bytes, is_fine))
        .or_else(|| in_blocks::<4>(bytes, is_fine))
        .unwrap_or_else(|| bytes.iter().all(|&byte| is_fine(byte)))
}

/// The same in blocks of one size, the last of which overlaps the one before; `None` if there are
/// fewer bytes than that. Compilers treat such a block as one value, where the processor can.
#[inline(always)]
fn in_blocks<const N: usize>(bytes: &[u8], is_fine: impl Fn(u8) -> bool) -> Option<bool> {
    let last = bytes.last_chunk::<N>()?;
    let fine = |block: &[u8; N]| block.iter().fold(true, |all, &byte| all & is_fine(byte));
    Some(bytes.as_chunks().0.iter().all(fine) && fine(last))
}

/// The value of a `content-length` field (RFC 9110 §8.6): digits and nothing else.
pub(crate) fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether a `host` field agrees with the authority of the control data (RFC 9113 §8.3.1); where
/// that is empty, the field takes its place and only has to be an authority.
pub(crate) fn host_agrees(scheme: &[u8], authority: &[u8], host: &[u8]) -> bool {
    if authority.is_empty() {
        return is_authority(host, default_port(scheme).is_some());
    }
    same_authority(scheme, authority, host)
}

/// Whether two authorities name the same thing under `scheme` once they are normalized
/// (RFC 9113 §8.3.1, RFC 3986 §6.2): letter case and the scheme's own port make no difference.
pub(crate) fn same_authority(scheme: &[u8], one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let port = default_port(scheme).unwrap_or_default();
    without_port(one, port).eq_ignore_ascii_case(without_port(other, port))
}

fn without_port<'a>(authority: &'a [u8], port: &[u8]) -> &'a [u8] {
    let bare = authority.strip_suffix(port).and_then(|rest| rest.strip_suffix(b":"));
    // "example.com:" has a port as well, an empty one.
    bare.or_else(|| authority.strip_suffix(b":")).unwrap_or(authority)
}

/// The port that `http` and `https` imply; for other schemes it is unknown.
pub(crate) fn default_port(scheme: &[u8]) -> Option<&'static [u8]> {
    // First the short comparison that decides for nearly every message.
    if scheme == b"https" || scheme.eq_ignore_ascii_case(b"https") {
        Some(b"443")
    } else if scheme.eq_ignore_ascii_case(b"http") {
        Some(b"80")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(parts: [&str; 4]) -> Result<(), ControlFault> {
        let [method, scheme, authority, path] = parts.map(str::as_bytes);
        check_control(method, scheme, authority, path, false)
    }

    /// RFC 9292 §3.4: the rules of the pseudo-fields of HTTP/2.
    #[test]
    fn control_data_follows_the_pseudo_fields() {
        for parts in [
            ["GET", "https", "", "/"],
            ["GET", "https", "[2001:db8::1]:8443", "/a?b=c"],
            ["OPTIONS", "http", "example.com", "*"],
            ["CONNECT", "", "example.com:443", ""],
            ["GET", "coap+tcp", "user@example.com", ""],
            ["M-SEARCH", "https", "a", "/caf\u{e9}"],
        ] {
            assert_eq!(control(parts), Ok(()), "{parts:?}");
        }
        for (parts, fault) in [
            (["", "https", "a", "/"], ControlFault::Method),
            (["GE T", "https", "a", "/"], ControlFault::Method),
            (["G:T", "https", "a", "/"], ControlFault::Method),
            (["GET", "", "a", "/"], ControlFault::Scheme),
            (["GET", "1http", "a", "/"], ControlFault::Scheme),
            (["GET", "ht_tp", "a", "/"], ControlFault::Scheme),
            (["GET", "https", "a/b", "/"], ControlFault::Authority),
            (["GET", "https", "a b", "/"], ControlFault::Authority),
            (["GET", "https", "me@a", "/"], ControlFault::Authority),
            (["GET", "HTTPS", "me@a", "/"], ControlFault::Authority),
            (["GET", "https", "a", ""], ControlFault::Path),
            (["GET", "https", "a", "*"], ControlFault::Path),
            (["GET", "https", "a", "@b/"], ControlFault::Path),
            (["GET", "https", "a", "/a b"], ControlFault::Path),
            (["GET", "https", "a", "/a\r\nb"], ControlFault::Path),
            (["GET", "https", "a", "/a#b"], ControlFault::Path),
            (["CONNECT", "", "", ""], ControlFault::Authority),
            (["CONNECT", "https", "a", ""], ControlFault::Scheme),
            (["CONNECT", "", "a", "/"], ControlFault::Path),
        ] {
            assert_eq!(control(parts), Err(fault), "{parts:?}");
        }
    }

    /// RFC 8441 §4: with `:protocol`, CONNECT has all four.
    #[test]
    fn extended_connect_has_scheme_and_path() {
        assert_eq!(check_control(b"CONNECT", b"https", b"a", b"/", true), Ok(()));
        assert_eq!(check_control(b"CONNECT", b"", b"a", b"", true), Err(ControlFault::Scheme));
    }

    /// RFC 9113 §8.2.1, by RFC 9292 §3.6.
    #[test]
    fn values_have_no_line_ends_and_no_blanks_round_them() {
        for value in [&b""[..], b"a", b"a b", b"a\tb", b"\x01\x7f", b"\xff\xfe", b"a, b"] {
            assert!(is_field_value(value), "{value:?}");
        }
        for value in [&b" "[..], b" a", b"a ", b"\ta", b"a\t", b"a\0b", b"a\rb", b"a\nb", b"\n"] {
            assert!(!is_field_value(value), "{value:?}");
        }
    }

    #[test]
    fn names_are_tokens() {
        for byte in 0..=u8::MAX {
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), token, "{byte:#x}");
            assert_eq!(classes(&[byte]) & UPPER != 0, byte.is_ascii_uppercase(), "{byte:#x}");
        }
        assert!(!is_token(b""));
    }

    /// Wherever a byte is, in a value of whatever length, it is found.
    #[test]
    fn blocks_are_made_of_bytes() {
        let common = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        for length in 0..=40 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = [b'a'; 40];
                    bytes[at] = byte;
                    let bytes = &bytes[..length];
                    assert_eq!(all_bytes(bytes, is_common), common(byte), "{bytes:?}");
                    let classes = classes(bytes);
                    for behind in [b'a', 0, 0xff] {
                        let mut name = [behind; 60];
                        name[..length].copy_from_slice(bytes);
                        assert_eq!(name_classes_within(&name, length), classes, "{bytes:?}");
                    }
                }
            }
            assert!(all_bytes(&[b'a'; 40][..length], is_common));
        }
    }

    #[test]
    fn content_lengths_are_digits() {
        assert_eq!(content_length(b"0"), Some(0));
        assert_eq!(content_length(b"0051"), Some(51));
        assert_eq!(content_length(b"18446744073709551615"), Some(u64::MAX));
        for value in [&b""[..], b"-1", b"+1", b"1, 1", b"1 ", b"0x1", b"18446744073709551616"] {
            assert_eq!(content_length(value), None, "{value:?}");
        }
    }

    #[test]
    fn authorities_compare_after_normalization() {
        let same =
            |one: &str, other: &str| same_authority(b"https", one.as_bytes(), other.as_bytes());
        assert!(same("example.com", "Example.COM"));
        assert!(same("example.com:443", "example.com"));
        assert!(same("example.com:", "example.com"));
        assert!(!same("example.com:80", "example.com"));
        assert!(!same("example.com", "example.org"));
        assert!(!same("example.com", ""));
        assert!(same_authority(b"http", b"a:80", b"a"));
        assert!(!same_authority(b"coap", b"a:80", b"a"));
    }
}
