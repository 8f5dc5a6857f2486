//! How many times a request may still be forwarded (RFC 9110 §7.6.2).

use http::{HeaderMap, HeaderValue, Method, header::MAX_FORWARDS};

use crate::refusal::InnerRefusal;

/// Counts one forwarding, if the request says how many there may be.
///
/// The field is for OPTIONS and TRACE, and TRACE is never forwarded. A recipient may ignore it in
/// other requests; here it counts in all of them, since its sender wants a limit.
pub(crate) fn count(method: &Method, headers: &mut HeaderMap) -> Result<(), InnerRefusal> {
    let mut fields = headers.get_all(MAX_FORWARDS).iter();
    let Some(field) = fields.next() else { return Ok(()) };
    if fields.next().is_some() {
        return Err(InnerRefusal::InvalidMaxForwards);
    }
    let left = parse(field.as_bytes()).ok_or(InnerRefusal::InvalidMaxForwards)?;
    match left.checked_sub(1) {
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left));
            Ok(())
        }
        None if *method == Method::OPTIONS => Err(InnerRefusal::OptionsOfGateway),
        None => Err(InnerRefusal::NoForwardsLeft),
    }
}

/// A number in decimal digits. One that is too large to hold counts as the largest.
fn parse(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number: u64, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(method: &Method, values: &[&'static str]) -> Result<HeaderMap, InnerRefusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(MAX_FORWARDS, HeaderValue::from_static(value));
        }
        count(method, &mut headers).map(|()| headers)
    }

    /// RFC 9110 §7.6.2
    #[test]
    fn each_forwarding_takes_one() {
        for (before, after) in [
            ("1", "0"),
            ("10", "9"),
            ("007", "6"),
            ("18446744073709551616", "18446744073709551614"),
        ] {
            for method in [Method::OPTIONS, Method::GET] {
                let headers = counted(&method, &[before]).unwrap();
                assert_eq!(headers[MAX_FORWARDS], after);
            }
        }
        assert!(counted(&Method::OPTIONS, &[]).unwrap().is_empty());
    }

    /// RFC 9110 §7.6.2
    #[test]
    fn at_zero_it_is_the_gateway_that_is_asked() {
        assert_eq!(counted(&Method::OPTIONS, &["0"]), Err(InnerRefusal::OptionsOfGateway));
        assert_eq!(counted(&Method::OPTIONS, &["000"]), Err(InnerRefusal::OptionsOfGateway));
        assert_eq!(counted(&Method::GET, &["0"]), Err(InnerRefusal::NoForwardsLeft));
    }

    #[test]
    fn anything_but_one_number_is_refused() {
        for values in [&[""][..], &["-1"], &["+1"], &["1, 2"], &["1", "1"], &["0x1"], &["1.0"]] {
            let refused = Err(InnerRefusal::InvalidMaxForwards);
            assert_eq!(counted(&Method::OPTIONS, values), refused, "{values:?}");
        }
    }
}
