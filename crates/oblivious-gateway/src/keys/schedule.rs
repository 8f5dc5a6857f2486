//! Keys that follow one another.

use std::path::PathBuf;

use oblivious_hpke::{KeyRing, KeyRingError, UnixSeconds, Validity};
use oblivious_keys::KemId;

use super::{
    FixedKey, GatewayKeys, ScheduleError, ScheduleSettings, Seed, StateError,
    derive::Root,
    epochs::{Epochs, FreeIds},
    snapshot::Publication,
    state::StateFile,
};

/// Derives the keys of a gateway for any time from one secret.
///
/// There are two kinds of secret: see [`ratchet`](Self::ratchet) and [`seed`](Self::seed). When
/// keys change, and what their ids are, is the same for both:
///
/// - Time is divided into epochs: epoch = ⌊Unix time / interval⌋. Each has one key of each KEM,
///   which is published during the epoch.
/// - A key is accepted from the start of its epoch minus the clock skew, until the start of the
///   next epoch plus max-age plus grace.
/// - With one KEM and no fixed keys the key id is the epoch modulo 256. In general all keys of all
///   epochs are counted, and the count is taken modulo the number of ids that no fixed key has.
///
/// Replicas with the same settings, fixed keys and secret have the same keys at any time. Changing
/// the KEMs or the fixed keys changes the ids, so clients have to fetch the configurations again;
/// changing the interval changes the keys as well.
#[derive(Debug)]
pub struct KeySchedule {
    settings: ScheduleSettings,
    epochs: Epochs,
    source: Source,
    fixed: Vec<FixedKey>,
    free_ids: FreeIds,
}

enum Source {
    Ratchet(StateFile),
    Seed(Seed),
}

impl KeySchedule {
    /// Every epoch's secret comes from the one before, and there is no way back: the root of the
    /// next epoch is HKDF-Expand(root, "next"), the key of an epoch DeriveKeyPair(HKDF-Expand(root,
    /// "key" ‖ kem_id)). The file `state` only keeps the root of the oldest epoch that is still
    /// accepted, so keys are gone once they have expired: anyone who gets the file later cannot
    /// read what was sent before (RFC 9458 §6.6).
    ///
    /// [`create_state`](Self::create_state) makes the file. Replicas start from copies of one file,
    /// each with its own; forgotten copies, above all backups, undo the forward secrecy. The file
    /// is replaced, so the folder must be writable; whether the disk really forgets the old content
    /// is up to the file system. A clock that is ahead destroys keys too early, and only a copy
    /// from another replica brings them back.
    ///
    /// # Errors
    /// If the settings contradict each other or the provider.
    pub fn ratchet(
        settings: ScheduleSettings,
        state: impl Into<PathBuf>,
    ) -> Result<Self, ScheduleError> {
        Self::new(settings, Source::Ratchet(StateFile::new(state.into())))
    }

    /// Every epoch's secret comes from one seed: HKDF-Expand(seed, "epoch" ‖ epoch), with the epoch
    /// in eight bytes, takes the place of the ratchet's root.
    ///
    /// There is no state to keep, and no forward secrecy: anyone who gets the seed has all keys,
    /// past and future. All that rotation still achieves is that old configurations and replays
    /// become invalid.
    ///
    /// # Errors
    /// If the settings contradict each other or the provider.
    pub fn seed(settings: ScheduleSettings, seed: Seed) -> Result<Self, ScheduleError> {
        Self::new(settings, Source::Seed(seed))
    }

    fn new(mut settings: ScheduleSettings, source: Source) -> Result<Self, ScheduleError> {
        settings.check()?;
        settings.kems.sort_by_key(|&kem| kem != KemId::X25519_HKDF_SHA256);
        let epochs = Epochs::new(&settings);
        let free_ids = FreeIds::without(|_| false);
        let schedule = Self { settings, epochs, source, fixed: Vec::new(), free_ids };
        schedule.check_ids()?;
        Ok(schedule)
    }

    /// Accepts these fixed keys as well, replacing any set before. The schedule skips their ids.
    /// Those that are [`published`](FixedKey::published) come after the schedule's own in the list,
    /// but X25519 always comes first.
    ///
    /// # Errors
    /// If a key cannot be used, two have the same id, too few ids are left, or a key to be
    /// published has a KEM of the schedule or of another such key.
    pub fn with_fixed(mut self, keys: Vec<FixedKey>) -> Result<Self, ScheduleError> {
        let mut ring = KeyRing::new();
        for key in &keys {
            key.again(self.settings.provider)?.add_to(&mut ring)?;
        }
        let mut kems = self.settings.kems.clone();
        for key in keys.iter().filter(|key| key.is_published()) {
            let (key_id, kem) = (key.key_id(), key.kem());
            if kems.contains(&kem) {
                return Err(ScheduleError::PublishedKem { key_id, kem });
            }
            kems.push(kem);
        }
        self.free_ids = FreeIds::without(|id| keys.iter().any(|key| key.key_id() == id));
        self.fixed = keys;
        self.check_ids()?;
        Ok(self)
    }

    fn check_ids(&self) -> Result<(), ScheduleError> {
        let kems = self.settings.kems.len() as u64;
        let needed = self.epochs.most_at_once().saturating_mul(kems);
        let available = self.free_ids.len();
        if needed > available as u64 {
            return Err(ScheduleError::TooManyKeys { needed, available });
        }
        Ok(())
    }

    /// Makes the state file of a ratchet, with a new secret, readable by its owner alone. Returns
    /// false, and does nothing, if it already exists, or if the schedule has a seed.
    ///
    /// # Errors
    /// If the file cannot be written, or there is no randomness.
    pub fn create_state(&self, now: UnixSeconds) -> Result<bool, StateError> {
        match &self.source {
            Source::Ratchet(file) => file.create(&self.epochs, now),
            Source::Seed(_) => Ok(false),
        }
    }

    /// The keys from `now` on, until [`next_change`](Self::next_change): those that are accepted,
    /// and those of the next epoch, each with its time.
    ///
    /// A ratchet first removes what has expired from its state file: it reads the file, and writes
    /// it if there is something to remove.
    ///
    /// # Errors
    /// If the state file cannot be used; it is then unchanged. A schedule with a seed never fails.
    pub fn keys_at(&self, now: UnixSeconds) -> Result<GatewayKeys, StateError> {
        let current = self.epochs.current(now);
        let (mut epoch, mut root) = match &self.source {
            Source::Ratchet(file) => {
                let state = file.at(&self.epochs, now)?;
                (state.epoch, state.root)
            }
            Source::Seed(seed) => {
                let oldest = self.epochs.oldest(now);
                (oldest, seed.root(oldest))
            }
        };
        let mut ring = KeyRing::new();
        let mut plan = Vec::new();
        loop {
            plan.push(self.add_epoch(epoch, &root, &mut ring));
            let Some(next) = epoch.checked_add(1).filter(|_| epoch <= current) else { break };
            epoch = next;
            root = match &self.source {
                Source::Ratchet(_) => root.next(),
                Source::Seed(seed) => seed.root(epoch),
            };
        }
        for key in &self.fixed {
            let key = key.again(self.settings.provider).expect(CHECKED);
            key.add_to(&mut ring).expect(CHECKED);
        }
        Ok(GatewayKeys::planned(ring, plan))
    }

    /// Adds the keys of an epoch, and returns when they are published.
    fn add_epoch(&self, epoch: u64, root: &Root, ring: &mut KeyRing) -> Publication {
        let ScheduleSettings { kems, suites, provider, .. } = &self.settings;
        let validity = Validity {
            not_before: self.epochs.accepted_from(epoch),
            not_after: self.epochs.accepted_until(epoch),
        };
        let mut key_ids = Vec::new();
        for (index, &kem) in kems.iter().enumerate() {
            let key_id = self.free_ids.id(epoch, index, kems.len());
            let pair = root.key(kem, *provider).expect(CHECKED);
            let added: Result<(), KeyRingError> =
                ring.add_valid(key_id, pair, suites.clone(), validity);
            added.expect(CHECKED);
            key_ids.push(key_id);
        }
        let published = self.fixed.iter().filter(|key| key.is_published());
        key_ids.extend(published.map(FixedKey::key_id));
        Publication {
            from: self.epochs.published_from(epoch),
            key_ids,
            cached_until: Some(self.epochs.cached_until(epoch)),
        }
    }

    /// The first second after `now` at which [`keys_at`](Self::keys_at) gives other keys.
    pub fn next_change(&self, now: UnixSeconds) -> UnixSeconds {
        self.epochs.next_change(now)
    }
}

/// Everything that can be wrong was refused when the schedule was made.
const CHECKED: &str = "checked when the schedule was made";

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ratchet(file) => file.fmt(f),
            Self::Seed(_) => f.write_str("Seed"),
        }
    }
}
