//! The keys, from whatever the settings name.

use std::path::Path;

use anyhow::Context;
use examples::error_report::Hint;
use oblivious_http::gateway::{
    FixedKey, GatewayKeys, KeyRotation, KeySchedule, ScheduleSettings, Seed, go_gateway_key,
};
use oblivious_http::hpke::{KeyPair, KeyRing, Provider, UnixSeconds};
use oblivious_http::keys::{KemId, SymmetricSuite};
use oblivious_http::service::{Live, SystemClock, TokioTimer};

use crate::go_env::GoKey;
use crate::settings::KeySettings;

/// Where the keys come from.
#[derive(Debug)]
pub(crate) enum Keys {
    /// They stay.
    Fixed(GatewayKeys),
    /// One comes after the other, from a file that is yet to be made if `create` says so.
    Schedule { schedule: KeySchedule, create: bool },
}

const SEED_HINT: Hint = Hint("make one with: (umask 077; openssl rand -hex 32 > seed.hex)");

impl Keys {
    pub(crate) fn load(settings: &KeySettings, go: Option<&GoKey>) -> anyhow::Result<Self> {
        let provider = settings.provider.provider()?;
        let named = [
            go.is_some(),
            settings.generate_key,
            settings.seed_file.is_some(),
            settings.state_file.is_some(),
        ];
        let sources = named.iter().filter(|&&named| named).count();
        anyhow::ensure!(
            sources == 1 || (sources == 0 && !settings.key_file.is_empty()),
            "name one source of keys: --state-file FILE for production, --seed-file FILE, \
             --key-file FILE, or --generate-key"
        );
        let fixed = fixed_keys(settings, provider)?;
        if let Some(path) = &settings.state_file {
            let schedule = KeySchedule::ratchet(schedule_settings(settings, provider)?, path)?;
            let schedule = schedule.with_fixed(fixed)?;
            let create = settings.create_state && !path.exists();
            if !create {
                schedule.keys_at(UnixSeconds::now())?;
            }
            return Ok(Self::Schedule { schedule, create });
        }
        if let (Some(path), true) = (&settings.seed_file, settings.rotate) {
            let schedule = schedule_settings(settings, provider)?;
            let schedule = KeySchedule::seed(schedule, read_seed(path)?)?;
            let schedule = schedule.with_fixed(fixed)?;
            return Ok(Self::Schedule { schedule, create: false });
        }
        anyhow::ensure!(!settings.rotate, "--rotate needs --seed-file");
        let mut ring = KeyRing::new();
        if let Some(GoKey { seed, configuration_id }) = go {
            go_gateway_key(seed, *configuration_id, provider)?.add_to(&mut ring)?;
        } else if let Some(path) = &settings.seed_file {
            let (id, kem) = (settings.key_id, KemId::X25519_HKDF_SHA256);
            let pair = read_seed(path)?.key_pair(kem, provider)?;
            ring.add(id, pair, suites())?;
        } else if settings.generate_key {
            for (kem, id) in kems(settings)?.into_iter().zip(settings.key_id..) {
                ring.add(id, KeyPair::generate(kem, provider)?, suites())?;
            }
        }
        for key in fixed {
            key.add_to(&mut ring)?;
        }
        Ok(Self::Fixed(GatewayKeys::from(ring)))
    }

    /// An error if there is a state file yet to be made.
    pub(crate) fn ensure_there(&self) -> anyhow::Result<()> {
        let missing = matches!(self, Self::Schedule { create: true, .. });
        anyhow::ensure!(!missing, "the state file no longer exists");
        Ok(())
    }

    /// The keys of this moment, and what changes them from then on, if anything does.
    pub(crate) fn start(
        self,
        shared: Option<Live<GatewayKeys>>,
    ) -> anyhow::Result<(Live<GatewayKeys>, Option<KeyRotation>)> {
        let (keys, schedule) = match self {
            Self::Fixed(keys) => (keys, None),
            Self::Schedule { schedule, create } => {
                if create {
                    schedule.create_state(UnixSeconds::now())?;
                }
                (schedule.keys_at(UnixSeconds::now())?, Some(schedule))
            }
        };
        let shared = match shared {
            Some(shared) => {
                shared.replace(keys);
                shared
            }
            None => Live::new(keys),
        };
        let rotation = schedule
            .map(|schedule| KeyRotation::new(schedule, shared.clone(), SystemClock, TokioTimer));
        Ok((shared, rotation))
    }
}

fn suites() -> Vec<SymmetricSuite> {
    ScheduleSettings::default().suites().to_vec()
}

fn schedule_settings(
    settings: &KeySettings,
    provider: Provider,
) -> anyhow::Result<ScheduleSettings> {
    Ok(ScheduleSettings::default()
        .with_interval(settings.key_interval.duration())
        .with_max_age(settings.key_max_age.duration())
        .with_grace(settings.key_grace.duration())
        .with_skew(settings.key_skew.duration())
        .with_kems(kems(settings)?)
        .with_provider(provider))
}

fn kems(settings: &KeySettings) -> anyhow::Result<Vec<KemId>> {
    settings.kem.iter().map(|name| name.parse().context("--kem is wrong")).collect()
}

fn fixed_keys(settings: &KeySettings, provider: Provider) -> anyhow::Result<Vec<FixedKey>> {
    let mut keys = Vec::new();
    for path in &settings.key_file {
        let read = FixedKey::read_file(Path::new(path), &suites(), provider);
        keys.extend(read.with_context(|| format!("cannot use the key file {path}"))?);
    }
    Ok(keys)
}

fn read_seed(path: &Path) -> anyhow::Result<Seed> {
    Seed::read(path)
        .with_context(|| format!("cannot use the seed file {}", path.display()))
        .context(SEED_HINT)
}
