//! What a server says the time is.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// The `date` of a response that begins now (RFC 9110 §6.6.1). It is written once a second.
pub(crate) fn date() -> HeaderValue {
    thread_local! {
        static WRITTEN: RefCell<(u64, HeaderValue)> = RefCell::new((0, write(UNIX_EPOCH)));
    }
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    WRITTEN.with_borrow_mut(|(second, date)| {
        if *second != seconds {
            (*second, *date) = (seconds, write(now));
        }
        date.clone()
    })
}

fn write(time: SystemTime) -> HeaderValue {
    let text = httpdate::fmt_http_date(time);
    HeaderValue::try_from(text).expect("it is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_now() {
        let before = SystemTime::now() - Duration::from_secs(1);
        for _ in 0..2 {
            let read = httpdate::parse_http_date(date().to_str().unwrap()).unwrap();
            assert!(read >= before && read <= SystemTime::now());
        }
    }
}
