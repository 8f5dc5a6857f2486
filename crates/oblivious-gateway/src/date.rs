//! The `Date` of a request, which says how long the request must be remembered (RFC 9458 §6.5).

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Response, header::DATE};
use oblivious_hpke::UnixSeconds;
use oblivious_service::{Content, Problem};
use thiserror::Error;

/// Which dates of requests are accepted.
///
/// If a client sends a `Date` inside its encapsulated request, the gateway can forget the request
/// soon: a copy that comes later than the window allows is refused for its date. The window is not
/// a secret (RFC 9458 §6.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatePolicy {
    window: Duration,
    require: bool,
    pub(crate) skew: Duration,
}

impl Default for DatePolicy {
    fn default() -> Self {
        Self { window: Duration::from_secs(300), require: false, skew: Duration::from_secs(60) }
    }
}

impl DatePolicy {
    /// Sets how far a date may be from the gateway's clock, in either direction; counted in whole
    /// seconds. It must allow for the time that a request is under way and for wrong clocks; a
    /// longer window makes the guard larger. Five minutes by default.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets whether requests without a date are refused. By default they are not, since many
    /// clients send none; those requests are remembered until the key that opened them retires.
    #[must_use]
    pub const fn with_required_date(mut self, is_required: bool) -> Self {
        self.require = is_required;
        self
    }

    /// Sets how far apart the clocks of two replicas may be, and how far a machine's clock may be
    /// set back, rounded up to whole seconds. Requests are remembered that much longer: otherwise
    /// the replica that is ahead would forget while the other one still accepts a copy. It must not
    /// be less than [that of the keys](crate::ScheduleSettings::with_skew). One minute by default.
    #[must_use]
    pub const fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Reads the date of a request; `None` if it has none.
    ///
    /// # Errors
    ///
    /// [`DateError::Several`] or [`DateError::Unreadable`].
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<UnixSeconds>, DateError> {
        let mut fields = headers.get_all(DATE).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(DateError::Several);
        }
        let text = field.to_str().map_err(|_| DateError::Unreadable)?;
        let date = httpdate::parse_http_date(text).map_err(|_| DateError::Unreadable)?;
        Ok(Some(date.into()))
    }

    /// Judges the date of a request that is not a copy, and returns it.
    ///
    /// `remembers_since` is what the guard reports.
    ///
    /// # Errors
    ///
    /// A [`DateError`] if there is no acceptable date.
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        now: UnixSeconds,
        remembers_since: Option<UnixSeconds>,
    ) -> Result<Option<UnixSeconds>, DateError> {
        let Some(date) = Self::read(headers)? else {
            return if self.require { Err(DateError::Missing) } else { Ok(None) };
        };
        let window = self.window.as_secs();
        if date < now - window {
            Err(DateError::TooEarly)
        } else if date > now + window {
            Err(DateError::TooLate)
        } else if remembers_since.is_some_and(|since| date < since) {
            Err(DateError::Forgotten)
        } else {
            Ok(Some(date))
        }
    }

    /// Until when a request must be remembered, by the clock that says `now`: the last second at
    /// which a copy could be accepted, plus the skew, for replicas whose clocks are behind. `None`
    /// means forever.
    ///
    /// `date` is what [`read`](Self::read) returns; if the date cannot be read, pass `Some(now)`,
    /// since a copy is refused as well. `key_accepted_until` is the last second at which the key
    /// that opened the request opens others.
    ///
    /// - A request with a date is remembered until its date leaves the window, even if it is dated
    ///   ahead; but not longer than its key.
    /// - Without one, until its key retires, or as if it had one where dates are required.
    pub(crate) fn remember_until(
        &self,
        date: Option<UnixSeconds>,
        now: UnixSeconds,
        key_accepted_until: Option<UnixSeconds>,
    ) -> Option<UnixSeconds> {
        let date = date.or(self.require.then_some(now));
        let acceptable = date.map(|date| date.max(now) + self.window.as_secs());
        let last = match (acceptable, key_accepted_until) {
            (Some(date), Some(key)) => date.min(key),
            (date, key) => date.or(key)?,
        };
        Some(last + self.skew_seconds())
    }

    /// The longest time for which a request with an accepted date is remembered: twice the window,
    /// for one dated as far ahead as allowed, plus the skew of clocks.
    pub fn longest_memory(&self) -> Duration {
        let seconds = self.window.as_secs().saturating_mul(2);
        Duration::from_secs(seconds.saturating_add(self.skew_seconds()))
    }

    /// Rounded up, since otherwise requests would be forgotten too soon.
    fn skew_seconds(&self) -> u64 {
        let begun = u64::from(self.skew.subsec_nanos() > 0);
        self.skew.as_secs().saturating_add(begun)
    }
}

/// Why the date of a request is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DateError {
    /// There is none, and one is required.
    #[error("the request has no date, and one is required")]
    Missing,
    /// There are several.
    #[error("the request has more than one date")]
    Several,
    /// It is not an HTTP date (RFC 9110 §5.6.7).
    #[error("the date of the request is not an HTTP date")]
    Unreadable,
    /// It is too long ago.
    #[error("the date of the request is too long ago")]
    TooEarly,
    /// It is too far ahead.
    #[error("the date of the request is too far ahead")]
    TooLate,
    /// It is from before the guard remembers.
    #[error("the date of the request is from before the replay guard was started")]
    Forgotten,
}

impl DateError {
    /// The answer, to be sent encapsulated: the problem `date`, with the gateway's own `Date`
    /// (RFC 9458 §6.5.2). It is the same whatever the reason.
    ///
    /// A time that HTTP cannot express, after the year 9999, leaves the field out.
    pub(crate) fn into_response(self, now: UnixSeconds) -> Response<Content> {
        let mut response = Problem::Date.into_response();
        if let Some(date) = field_value(now) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }
}

fn field_value(now: UnixSeconds) -> Option<HeaderValue> {
    const YEAR_10000: UnixSeconds = UnixSeconds(253_402_300_800);
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(now.0))?;
    (now < YEAR_10000).then(|| HeaderValue::try_from(httpdate::fmt_http_date(time)).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mon, 07 Feb 2022 00:28:05 GMT, the date in RFC 9458 §6.5.2.
    const NOW: UnixSeconds = UnixSeconds(1_644_193_685);
    const POLICY: DatePolicy = DatePolicy {
        window: Duration::from_secs(60),
        require: false,
        skew: Duration::from_secs(10),
    };
    const STRICT: DatePolicy = DatePolicy { require: true, ..POLICY };

    fn dated(dates: &[&str]) -> HeaderMap {
        dates.iter().map(|date| (DATE, HeaderValue::from_bytes(date.as_bytes()).unwrap())).collect()
    }

    fn at(time: UnixSeconds) -> HeaderMap {
        dated(&[field_value(time).unwrap().to_str().unwrap()])
    }

    /// RFC 9110 §5.6.7: recipients take all three forms.
    #[test]
    fn the_three_forms_of_a_date_are_read() {
        for text in [
            "Mon, 07 Feb 2022 00:28:05 GMT",
            "Monday, 07-Feb-22 00:28:05 GMT",
            "Mon Feb  7 00:28:05 2022",
        ] {
            assert_eq!(DatePolicy::read(&dated(&[text])), Ok(Some(NOW)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in
            ["", "now", "0", "2022-02-07T00:28:05Z", "Mon, 07 Feb 1960 00:28:05 GMT", "\u{e9}"]
        {
            let refusal = POLICY.check(&dated(&[text]), NOW, None);
            assert_eq!(refusal, Err(DateError::Unreadable), "{text}");
        }
        let date = "Mon, 07 Feb 2022 00:28:05 GMT";
        assert_eq!(POLICY.check(&dated(&[date, date]), NOW, None), Err(DateError::Several));
    }

    /// RFC 9458 §6.5.1
    #[test]
    fn the_window_goes_both_ways_and_includes_its_ends() {
        for (date, outcome) in [
            (NOW - 61, Err(DateError::TooEarly)),
            (NOW - 60, Ok(Some(NOW - 60))),
            (NOW, Ok(Some(NOW))),
            (NOW + 60, Ok(Some(NOW + 60))),
            (NOW + 61, Err(DateError::TooLate)),
        ] {
            assert_eq!(POLICY.check(&at(date), NOW, None), outcome);
        }
        let wide = DatePolicy { window: Duration::MAX, ..STRICT };
        assert_eq!(wide.check(&at(UnixSeconds::EPOCH), NOW, None), Ok(Some(UnixSeconds::EPOCH)));
    }

    #[test]
    fn a_date_may_be_missing_unless_required() {
        let none = HeaderMap::new();
        assert_eq!(DatePolicy::default().check(&none, NOW, Some(NOW)), Ok(None));
        assert_eq!(STRICT.check(&none, NOW, None), Err(DateError::Missing));
    }

    /// RFC 9458 §6.5: a gateway that lost its state cannot accept what it might have accepted
    /// before.
    #[test]
    fn dates_from_before_the_guard_are_refused() {
        let since = Some(NOW - 5);
        assert_eq!(POLICY.check(&at(NOW - 6), NOW, since), Err(DateError::Forgotten));
        assert_eq!(POLICY.check(&at(NOW - 5), NOW, since), Ok(Some(NOW - 5)));
    }

    /// RFC 9458 §6.5.1
    #[test]
    fn a_request_is_remembered_for_as_long_as_its_date_is_acceptable() {
        let until = |date, key| POLICY.remember_until(date, NOW, key);
        assert_eq!(until(Some(NOW), None), Some(NOW + 70));
        assert_eq!(until(Some(NOW + 60), None), Some(NOW + 130));
        // Dated ahead it is refused now, but would be accepted later.
        assert_eq!(until(Some(NOW + 1000), None), Some(NOW + 1070));
        assert_eq!(until(Some(UnixSeconds::EPOCH), None), Some(NOW + 70));
        // Once its key has retired it cannot be opened.
        assert_eq!(until(Some(NOW), Some(NOW + 5)), Some(NOW + 15));
        assert_eq!(until(Some(NOW), Some(NOW + 1000)), Some(NOW + 70));
        assert_eq!(until(Some(UnixSeconds::NEVER), None), Some(UnixSeconds::NEVER));
    }

    /// RFC 9458 §6.5
    #[test]
    fn without_a_date_it_is_remembered_until_its_key_retires() {
        assert_eq!(POLICY.remember_until(None, NOW, Some(NOW + 9)), Some(NOW + 19));
        assert_eq!(POLICY.remember_until(None, NOW, None), None);
        // Where it is refused for that, nothing is gained by filling the guard.
        assert_eq!(STRICT.remember_until(None, NOW, None), Some(NOW + 70));
    }

    /// RFC 9458 §6.5: one replica's clock is ahead of the other's by the skew. Whatever the first one
    /// has accepted it remembers until the second one refuses it.
    #[test]
    fn a_replica_that_is_ahead_remembers_for_one_that_is_behind() {
        let policies = [0, 1, 999, 1000, 60_000].map(Duration::from_millis);
        for policy in policies.map(|skew| DatePolicy { skew, ..POLICY }) {
            let skew = u64::try_from(policy.skew.as_millis().div_ceil(1000)).unwrap();
            let ends = [None, Some(NOW), Some(NOW + 30), Some(NOW + 1000)];
            for key_end in ends {
                for date in [NOW - 60, NOW - 1, NOW, NOW + 60].map(Some).into_iter().chain([None]) {
                    let Some(until) = policy.remember_until(date, NOW, key_end) else {
                        assert_eq!((date, key_end), (None, None));
                        continue;
                    };
                    let behind = until + 1 - skew;
                    let refused_for_its_date =
                        date.is_some_and(|date| policy.check(&at(date), behind, None).is_err());
                    let refused_for_its_key = key_end.is_some_and(|end| end < behind);
                    assert!(refused_for_its_date || refused_for_its_key, "{date:?} {key_end:?}");
                }
            }
        }
        let endless = DatePolicy { skew: Duration::MAX, ..POLICY };
        assert_eq!(endless.remember_until(Some(NOW), NOW, None), Some(UnixSeconds::NEVER));
    }

    /// A schedule and the dates use one skew.
    #[test]
    fn the_skew_is_that_of_key_schedules() {
        assert_eq!(DatePolicy::default().skew, crate::ScheduleSettings::default().skew);
    }

    #[test]
    fn nothing_acceptable_is_remembered_for_longer_than_stated() {
        let until = POLICY.remember_until(Some(NOW + 60), NOW, None).unwrap();
        assert_eq!(until.since(NOW), POLICY.longest_memory().as_secs());
    }

    /// RFC 9458 §6.5.2
    #[test]
    fn a_refusal_is_the_problem_date_with_the_date_of_the_gateway() {
        let response = DateError::TooLate.into_response(NOW);
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()[DATE], "Mon, 07 Feb 2022 00:28:05 GMT");
        assert_eq!(response.into_body().data, Problem::Date.to_json());
        for never in [UnixSeconds(253_402_300_800), UnixSeconds::NEVER] {
            assert!(!DateError::Missing.into_response(never).headers().contains_key(DATE));
        }
    }
}
