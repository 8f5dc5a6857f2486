//! The `Date` of requests, by which a gateway refuses old ones (RFC 9458 §6.5.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use oblivious_bhttp::Content;
use oblivious_service::{MediaType, Problem, media_type};

use crate::config::Config;

/// Clocks count as the same if they differ by no more than this: dates have whole seconds, and
/// an exchange takes a moment.
const SAME: Duration = Duration::from_secs(2);

/// Adds a date, unless there is one already or none is wanted. Returns the time that it was made
/// from.
pub(crate) fn add(config: &Config, headers: &mut HeaderMap) -> Option<SystemTime> {
    let clock = config.clock.as_ref().filter(|_| !headers.contains_key(header::DATE))?;
    let now = clock.now();
    headers.insert(header::DATE, value(coarse(now, config.date_precision)));
    Some(now)
}

/// The date with which a refused request may be sent once more (RFC 9458 §6.5.2): that of the
/// gateway, if the refusal is for the date, and the gateway's clock really differs from ours.
///
/// `sent` is when the request was made. If the gateway's date lies between then and now, the clocks
/// agree, and the request was held up: whoever held it up may have had another copy served in the
/// meantime.
pub(crate) fn correction(
    config: &Config,
    sent: Option<SystemTime>,
    response: &Response<Content>,
) -> Option<HeaderValue> {
    let (sent, clock) = (sent.filter(|_| config.correct_date)?, config.clock.as_ref()?);
    let gateways = refused(response)?;
    let received = clock.now();
    let agree = gateways.checked_add(SAME)? >= sent && gateways <= received.checked_add(SAME)?;
    (!agree).then(|| value(gateways))
}

/// The gateway's date, if this is its refusal of ours.
fn refused(response: &Response<Content>) -> Option<SystemTime> {
    let status: StatusCode = response.status();
    let is_refusal = status.is_client_error()
        && media_type(response.headers()) == Some(MediaType::ProblemJson)
        && Problem::parse(&response.body().data) == Some(Problem::Date);
    let mut dates = response.headers().get_all(header::DATE).iter();
    let (Some(date), None, true) = (dates.next(), dates.next(), is_refusal) else { return None };
    let date = httpdate::parse_http_date(date.to_str().ok()?).ok()?;
    // If the answer was kept somewhere, this is when it was made.
    let age = response.headers().get(header::AGE).and_then(|age| age.to_str().ok()?.parse().ok());
    date.checked_add(Duration::from_secs(age.unwrap_or(0))).filter(|date| *date < year_10000())
}

/// The last multiple of `precision` since the epoch.
fn coarse(time: SystemTime, precision: Duration) -> SystemTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let precision = precision.as_secs().max(1);
    UNIX_EPOCH + Duration::from_secs(seconds - seconds % precision)
}

/// The end of what HTTP can write.
fn year_10000() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_402_300_800)
}

fn value(time: SystemTime) -> HeaderValue {
    let time = time.min(year_10000() - Duration::from_secs(1)).max(UNIX_EPOCH);
    HeaderValue::try_from(httpdate::fmt_http_date(time)).expect("a date is a field value")
}
