//! The `Date` of requests, by which a gateway refuses old ones (RFC 9458 §6.5.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use oblivious_bhttp::Content;
use oblivious_service::{MediaType, Problem, media_type};

use crate::config::Config;

/// Clocks count as the same if they differ by no more than this: dates have whole seconds, and
/// an exchange takes a moment.
const SAME: Duration = Duration::from_secs(2);

/// The date that this client has given a request.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    /// When the request was made.
    at: SystemTime,
    /// What it says: the same or, where dates are coarse, earlier.
    date: SystemTime,
}

/// The gateway's date, for the one request that is sent again (RFC 9458 §6.5.2).
#[derive(Clone, Copy)]
pub(crate) struct Correction {
    date: SystemTime,
    /// When it came, by our clock.
    received: SystemTime,
}

/// Dates a request that is about to be encoded: by our clock, unless it has a date already or none
/// is wanted; or by the gateway's.
pub(crate) fn set(
    config: &Config,
    headers: &mut HeaderMap,
    correction: Option<Correction>,
) -> Option<Sent> {
    let clock = config.clock.as_ref()?;
    if correction.is_none() && headers.contains_key(header::DATE) {
        return None;
    }
    let at = clock.now();
    let date = match correction {
        // Not coarse: it is not our clock that it shows, and it may have to be that late.
        Some(Correction { date, received }) => {
            date.checked_add(at.duration_since(received).unwrap_or_default()).unwrap_or(date)
        }
        None => coarse(at, config.date_precision),
    };
    headers.insert(header::DATE, value(date));
    Some(Sent { at, date })
}

/// The date with which a refused request may be sent once more (RFC 9458 §6.5.2): that of the
/// gateway, if the refusal is for the date, and the gateway's clock really differs from ours, or
/// from what a coarse date said.
///
/// If the gateway's date lies between the making of the request and now, the clocks agree, and the
/// request was held up: whoever held it up may have had another copy served in the meantime. It was
/// not if the refusal is from the moment at which the request was made. Then the date was too
/// coarse, for a gateway that has just been started.
pub(crate) fn correction(
    config: &Config,
    sent: Option<Sent>,
    response: &Response<Content>,
) -> Option<Correction> {
    let (sent, clock) = (sent.filter(|_| config.correct_date)?, config.clock.as_ref()?);
    let date = refused(response)?;
    let received = clock.now();
    let agree = date.checked_add(SAME)? >= sent.at && date <= received.checked_add(SAME)?;
    let is_prompt = date <= sent.at.checked_add(SAME)?;
    let was_coarse = is_prompt && config.date_precision > SAME && date > sent.date;
    (!agree || was_coarse).then_some(Correction { date, received })
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
