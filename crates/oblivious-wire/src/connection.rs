//! Which fields are for a single connection.

/// Whether a field is for a single connection and goes no further than its other end
/// (RFC 9110 §7.6.1, RFC 9113 §8.2.2). `name` is in lower case.
///
/// These are `connection`, `keep-alive`, `proxy-connection`, `transfer-encoding`, `upgrade`, and
/// `te` unless its value is just `trailers`. So are the fields that `connection` names: see
/// [`connection_options`]. `trailer` is not one of them: HTTP/1.1 needs it to send trailers.
///
/// ```
/// assert!(oblivious_wire::is_connection_field(b"upgrade", b"h2c"));
/// assert!(!oblivious_wire::is_connection_field(b"te", b"trailers"));
/// ```
#[inline]
pub fn is_connection_field(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
            true
        }
        // This one value is meant for the recipient at the far end.
        b"te" => !value.trim_ascii().eq_ignore_ascii_case(b"trailers"),
        _ => false,
    }
}

/// What the value of a `connection` field lists (RFC 9110 §7.6.1): mostly names of fields, in any
/// case. Values that are not names are listed too, since nothing is checked here.
///
/// ```
/// let options = oblivious_wire::connection_options(b"close, X-Session");
/// assert!(options.eq([&b"close"[..], b"X-Session"]));
/// ```
pub fn connection_options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let options = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    options.filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §7.6.1
    #[test]
    fn fields_of_a_connection_are_known() {
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]
        {
            assert!(is_connection_field(name.as_bytes(), b""), "{name}");
        }
        for name in ["trailer", "host", "close", "x-upgrade", ""] {
            assert!(!is_connection_field(name.as_bytes(), b"upgrade"), "{name}");
        }
    }

    /// RFC 9113 §8.2.2: `te` may stay if it says no more than `trailers`.
    #[test]
    fn te_may_say_trailers_and_nothing_else() {
        for (value, stays) in [
            ("trailers", true),
            (" Trailers\t", true),
            ("trailers, gzip", false),
            ("gzip", false),
            ("", false),
        ] {
            assert_eq!(is_connection_field(b"te", value.as_bytes()), !stays, "{value}");
        }
    }

    #[test]
    fn options_are_trimmed_and_empty_ones_left_out() {
        let options = connection_options(b"close,, X-Two ,\t\xff,");
        assert!(options.eq([&b"close"[..], b"X-Two", b"\xff"]));
        assert_eq!(connection_options(b" , ").count(), 0);
    }
}
