//! Makes a gateway follow a schedule.

use std::{sync::Arc, time::Duration};

use oblivious_hpke::UnixSeconds;
use oblivious_service::{Clock, Live, Timer};
use tracing::{error, info};

use super::{GatewayKeys, KeySchedule, StateError};

/// How long to wait after a failure, in seconds.
const RETRY: u64 = 10;
/// How long to sleep at most, in seconds, so that a clock change or a suspended machine is noticed
/// soon.
const LONGEST_SLEEP: u64 = 60;

/// Replaces the keys of a gateway as its schedule says.
///
/// [`run`](Self::run) is a task for the program's runtime:
///
/// ```
/// # use std::time::Duration;
/// use oblivious_gateway::{GatewayLayer, KeyRotation, KeySchedule, PublishKeys, ScheduleSettings};
/// use oblivious_gateway::Seed;
/// use oblivious_service::{SystemClock, TokioTimer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut random_bytes = [7; 32];
/// let schedule = KeySchedule::seed(ScheduleSettings::default(), Seed::new(&mut random_bytes))?;
/// let rotation = KeyRotation::start(schedule, SystemClock, TokioTimer)?;
/// let gateway = GatewayLayer::new(rotation.keys());
/// let published = PublishKeys::new(rotation.keys());
/// tokio::spawn(rotation.run());
/// # let _ = (gateway, published);
/// # Ok(())
/// # }
/// ```
///
/// State files are small, so they are read and written within the task.
pub struct KeyRotation {
    schedule: KeySchedule,
    keys: Live<GatewayKeys>,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
}

impl KeyRotation {
    /// Starts with the schedule's present keys.
    ///
    /// # Errors
    /// If the state file cannot be used.
    pub fn start(
        schedule: KeySchedule,
        clock: impl Clock,
        timer: impl Timer,
    ) -> Result<Self, StateError> {
        let keys = Live::new(schedule.keys_at(clock.now().into())?);
        Ok(Self::new(schedule, keys, clock, timer))
    }

    /// Takes over keys that are already in use, for instance those of another schedule whose
    /// rotation was stopped. They are replaced as soon as the schedule's own are available.
    pub fn new(
        schedule: KeySchedule,
        keys: Live<GatewayKeys>,
        clock: impl Clock,
        timer: impl Timer,
    ) -> Self {
        Self { schedule, keys, clock: Arc::new(clock), timer: Arc::new(timer) }
    }

    /// The handle to the keys, for the gateway and for what publishes them.
    pub fn keys(&self) -> Live<GatewayKeys> {
        self.keys.clone()
    }

    /// Replaces the keys at every change, forever.
    ///
    /// If the state file cannot be used, this is logged, the present keys stay in use, each until
    /// it expires, and it is tried again every ten seconds. The present keys include those of the
    /// next epoch, so there is an interval's time to fix the problem.
    pub async fn run(self) {
        let (mut before, mut due) = (UnixSeconds::EPOCH, UnixSeconds::EPOCH);
        loop {
            let now = UnixSeconds::from(self.clock.now());
            if now >= due || now < before {
                due = self.replace(now);
            }
            before = now;
            let wait = due.since(now).clamp(1, LONGEST_SLEEP);
            self.timer.sleep(Duration::from_secs(wait)).await;
        }
    }

    /// Puts the present keys in use, and returns when to do it again.
    fn replace(&self, now: UnixSeconds) -> UnixSeconds {
        match self.schedule.keys_at(now) {
            Ok(keys) => {
                let accepted: Vec<_> = keys.ring().keys().map(|(key, _)| key.key_id()).collect();
                self.keys.replace(keys);
                info!(?accepted, "keys in use");
                self.schedule.next_change(now)
            }
            Err(error) => {
                error!(%error, "cannot change keys; those in use stay until they expire");
                now + RETRY
            }
        }
    }
}

impl std::fmt::Debug for KeyRotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRotation").field("schedule", &self.schedule).finish_non_exhaustive()
    }
}
