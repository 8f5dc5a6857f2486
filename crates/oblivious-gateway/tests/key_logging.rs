//! What a rotation of keys writes down: ids, and nothing that a key could be made of.

mod common;

use std::{
    fmt::{Debug, Write},
    fs,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::schedule::{START, folder, new_ratchet, published};
use oblivious_gateway::KeyRotation;
use oblivious_service::{Clock, Sleep, Timer};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Writes down every event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

/// Time stands still.
#[derive(Clone, Copy)]
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(START)
    }
}

impl Timer for Still {
    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

#[test]
fn only_key_ids_are_logged() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let state = folder("only_key_ids_are_logged").join("state");
    let once = |rotation: KeyRotation| {
        let shown = format!("{rotation:?}");
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(rotation.run()).poll(&mut context).is_pending());
        shown
    };

    let schedule = new_ratchet(&state, START);
    let public_key = published(&schedule, START).configs()[0].public_key().clone();
    let content = fs::read_to_string(&state).unwrap();
    let root = content.lines().find_map(|line| line.strip_prefix("root ")).unwrap();
    let rotation = KeyRotation::start(schedule, Still, Still).unwrap();
    let keys = rotation.keys();
    let mut shown = once(rotation);

    // Damaged, so that an error is logged.
    let schedule = common::schedule::ratchet(&state);
    fs::write(&state, content.replace("check ", "check x")).unwrap();
    shown += &once(KeyRotation::new(schedule, keys, Still, Still));

    let log = log.0.lock().unwrap();
    assert!(log.contains("accepted=[99, 100, 101]"), "{log}");
    assert!(log.contains("is not a whole state file"), "{log}");
    for secret in [root, &root[..16], &hex::encode(&public_key)] {
        assert!(!log.contains(secret) && !shown.contains(secret), "{log}{shown}");
    }
}
