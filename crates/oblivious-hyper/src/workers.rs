//! Threads that answer requests, each with a runtime of its own.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Threads that each run the connections they were given, from the first byte to the last.
///
/// The threads of tokio's usual runtime steal tasks from each other, and wake each other up for it.
/// Where a request takes a fraction of a millisecond, as at a gateway, that costs more than it
/// gains.
///
/// Clones share the threads. They end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Workers {
    handles: Arc<[Handle]>,
    /// Its receivers, one in each thread, notice when the last of these is dropped.
    _running: Option<Arc<watch::Sender<()>>>,
}

impl Workers {
    /// Starts `count` threads; `None` starts one for each processor. Fails if the system cannot
    /// start more threads.
    pub fn start(count: Option<NonZeroUsize>) -> io::Result<Self> {
        let count = match count {
            Some(count) => count,
            None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        };
        let (running, ended) = watch::channel(());
        let start = |_| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let mut ended = ended.clone();
            thread::Builder::new().name("worker".into()).spawn(move || {
                // An error is the signal to end.
                let _ = runtime.block_on(ended.changed());
            })?;
            Ok(handle)
        };
        let handles = (0..count.get()).map(start).collect::<io::Result<_>>()?;
        Ok(Self { handles, _running: Some(Arc::new(running)) })
    }

    /// No threads: everything runs on the tokio runtime in which this is called.
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime.
    pub fn current() -> Self {
        Self { handles: [Handle::current()].into(), _running: None }
    }

    /// The runtime with the least to do.
    pub fn idlest(&self) -> &Handle {
        let tasks = |handle: &&Handle| handle.metrics().num_alive_tasks();
        self.handles.iter().min_by_key(tasks).expect("there is at least one")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn tasks_are_spread_over_the_threads() {
        let workers = Workers::start(NonZeroUsize::new(3)).unwrap();
        let (sender, receiver) = mpsc::channel();
        for _ in 0..6 {
            let sender = sender.clone();
            workers.idlest().spawn(async move {
                sender.send(thread::current().id()).unwrap();
                std::future::pending::<()>().await;
            });
        }
        let threads: Vec<_> = receiver.iter().take(6).collect();
        let different: HashSet<_> = threads.iter().collect();
        assert_eq!(different.len(), 3);
        for thread in different {
            assert_eq!(threads.iter().filter(|&other| other == thread).count(), 2);
        }
    }

    #[test]
    fn threads_end_with_the_last_clone() {
        let workers = Workers::start(NonZeroUsize::new(1)).unwrap();
        let (sender, receiver) = mpsc::channel::<()>();
        workers.idlest().spawn(async move {
            let _held = sender;
            std::future::pending::<()>().await;
        });
        let clone = workers.clone();
        drop(workers);
        let soon = Duration::from_millis(50);
        assert_eq!(receiver.recv_timeout(soon), Err(mpsc::RecvTimeoutError::Timeout));
        drop(clone);
        let late = Duration::from_secs(20);
        assert_eq!(receiver.recv_timeout(late), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
