//! Several sources that must agree.

use std::fmt;

use futures_util::{
    future::FutureExt,
    stream::{FuturesUnordered, StreamExt},
};
use http::Uri;
use thiserror::Error;

use super::{Demand, FetchedKeys, Fetching, KeySource, KeySourceError};

/// Independent sources of the same keys. All or some of them must agree byte for byte before the
/// keys are used (RFC 9458 §7, RFC 9540 §7.1).
///
/// A gateway could give each client its own key, and so recognize its requests. It cannot if the
/// client also gets the same list from somewhere that does not know which client asks: from another
/// operator, through an HTTP proxy, or from the relay.
///
/// While a gateway changes its keys, sources can differ for a moment. A [`KeyCache`] then keeps
/// using the old ones, and asks again.
///
/// [`KeyCache`]: crate::KeyCache
///
/// ```
/// use oblivious_client::{Agreement, FixedKeys, KeySource};
/// # let list = oblivious_keys::KeyConfigList::new(vec![oblivious_keys::KeyConfig::new(
/// #     1, oblivious_keys::KemId::X25519_HKDF_SHA256, vec![0x31; 32],
/// #     vec![oblivious_keys::SymmetricSuite::HKDF_SHA256_AES_128_GCM],
/// # )?])?.encode();
///
/// let one = FixedKeys::new(list.clone())?;
/// let other = FixedKeys::new(list)?;
/// let keys = Agreement::of_all([Box::new(one) as Box<dyn KeySource>, Box::new(other)])?;
/// # let _ = keys;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Agreement {
    sources: Vec<Box<dyn KeySource>>,
    required: usize,
}

impl Agreement {
    /// All of the sources must answer with the same list.
    ///
    /// # Errors
    /// If there are fewer than two.
    pub fn of_all(
        sources: impl IntoIterator<Item = Box<dyn KeySource>>,
    ) -> Result<Self, AgreementError> {
        let sources: Vec<_> = sources.into_iter().collect();
        Self::of(sources.len(), sources)
    }

    /// At least `required` sources must answer with the same list; others may fail or differ. If
    /// two different lists each have that many sources, that is a disagreement, as far as their
    /// answers have come by then: nobody waits for the rest once enough agree.
    ///
    /// # Errors
    /// If `required` is less than two, or more than there are sources.
    pub fn of(
        required: usize,
        sources: impl IntoIterator<Item = Box<dyn KeySource>>,
    ) -> Result<Self, AgreementError> {
        let sources: Vec<_> = sources.into_iter().collect();
        if required < 2 || required > sources.len() {
            return Err(AgreementError { required, sources: sources.len() });
        }
        Ok(Self { sources, required })
    }

    /// Whether enough of the answers are the same.
    fn is_enough(&self, answers: &[Option<Result<FetchedKeys, KeySourceError>>]) -> bool {
        let lists = || answers.iter().flatten().flatten().map(|keys| &keys.list);
        lists().any(|list| lists().filter(|other| *other == list).count() >= self.required)
    }

    /// The list on which enough answers agree.
    fn agreed(
        &self,
        answers: Vec<Option<Result<FetchedKeys, KeySourceError>>>,
    ) -> Result<FetchedKeys, KeySourceError> {
        let mut groups: Vec<(FetchedKeys, Vec<String>)> = Vec::new();
        let mut failure = None;
        for (source, answer) in self.sources.iter().zip(answers) {
            match answer {
                None => {}
                Some(Ok(keys)) => {
                    match groups.iter_mut().find(|(group, _)| group.list == keys.list) {
                        Some((group, names)) => {
                            // The shortest lifetime counts.
                            group.fresh_for = match (group.fresh_for, keys.fresh_for) {
                                (Some(one), Some(other)) => Some(one.min(other)),
                                (one, other) => one.or(other),
                            };
                            names.push(source.name());
                        }
                        None => groups.push((keys, vec![source.name()])),
                    }
                }
                Some(Err(error)) => failure = failure.or(Some(Box::new(error))),
            }
        }
        let (required, answered) = (self.required, groups.iter().map(|(_, names)| names.len()));
        let answered = answered.sum();
        let mut agreed = groups.iter().filter(|(_, names)| names.len() >= required);
        match (agreed.next(), agreed.next()) {
            (Some((keys, _)), None) => Ok(keys.clone()),
            (None, _) if groups.len() < 2 => {
                Err(KeySourceError::TooFew { answered, required, error: failure })
            }
            _ => Err(KeySourceError::Disagreement {
                groups: groups.into_iter().map(|(_, names)| names).collect(),
            }),
        }
    }
}

impl KeySource for Agreement {
    fn name(&self) -> String {
        let names: Vec<_> = self.sources.iter().map(KeySource::name).collect();
        let names = names.join(" and ");
        match self.required == self.sources.len() {
            true => names,
            false => format!("{} of {names}", self.required),
        }
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        Box::pin(async move {
            let mut fetching = FuturesUnordered::new();
            for (index, source) in self.sources.iter().enumerate() {
                fetching.push(async move { (index, source.fetch(demand).await) });
            }
            let mut answers: Vec<_> = self.sources.iter().map(|_| None).collect();
            while let Some((index, answer)) = fetching.next().await {
                answers[index] = Some(answer);
                if self.is_enough(&answers) {
                    break;
                }
            }
            // A source that hangs must not keep the others from deciding, but what has come counts.
            while let Some(Some((index, answer))) = fetching.next().now_or_never() {
                answers[index] = Some(answer);
            }
            self.agreed(answers)
        })
    }

    /// Whether the relay alone cannot bring about an agreement.
    fn is_independent_of(&self, relay: &Uri) -> bool {
        let dependent = self.sources.iter().filter(|source| !source.is_independent_of(relay));
        dependent.count() < self.required
    }
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreement")
            .field("sources", &self.name())
            .field("required", &self.required)
            .finish()
    }
}

/// This number of sources cannot agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "cannot require agreement of {required} out of {sources} sources: at least two, and at most all"
)]
#[non_exhaustive]
pub struct AgreementError {
    /// How many were to agree.
    pub required: usize,
    /// How many there are.
    pub sources: usize,
}
