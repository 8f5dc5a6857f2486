//! A future beside a busy one in the same task.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

pin_project! {
    /// Polls a future only when that future itself was woken, not whenever its task is.
    ///
    /// The timers of a connection would otherwise be asked at each event on it.
    pub(crate) struct Seldom<F> {
        #[pin]
        future: F,
        alarm: Arc<Alarm>,
        // The alarm as a waker, and the task that it wakes.
        waker: Waker,
        task: Waker,
    }
}

struct Alarm {
    rung: AtomicBool,
    task: Mutex<Waker>,
}

impl<F> Seldom<F> {
    pub(crate) fn new(future: F) -> Self {
        let task = Waker::noop();
        let alarm = Alarm { rung: AtomicBool::new(true), task: Mutex::new(task.clone()) };
        let alarm = Arc::new(alarm);
        Self { future, waker: Arc::clone(&alarm).into(), alarm, task: task.clone() }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !this.task.will_wake(cx.waker()) {
            this.task.clone_from(cx.waker());
            this.alarm.task().clone_from(cx.waker());
        }
        // After the task is known: an alarm before that is seen here.
        if !this.alarm.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        this.alarm.rung.store(false, Ordering::Release);
        this.future.poll(&mut Context::from_waker(this.waker))
    }
}

impl Alarm {
    fn task(&self) -> MutexGuard<'_, Waker> {
        // A clone of a waker does not panic.
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task().clone();
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_polled_when_it_was_woken_and_wakes_the_task_that_asked_last() {
        let polls = AtomicUsize::new(0);
        let own = Mutex::new(None::<Waker>);
        let mut seldom = pin!(Seldom::new(poll_fn(|cx| {
            *own.lock().unwrap() = Some(cx.waker().clone());
            match polls.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })));
        let tasks = [0; 2].map(|_| Arc::new(Count::default()));
        let woken = || tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed));
        for (index, task) in tasks.iter().enumerate() {
            let waker = Waker::from(Arc::clone(task));
            for _ in 0..3 {
                let ready = seldom.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(ready.is_pending());
            }
            assert_eq!(polls.load(Ordering::Relaxed), index + 1);
            own.lock().unwrap().take().unwrap().wake();
            assert_eq!(woken(), if index == 0 { [1, 0] } else { [1, 1] });
        }
        assert!(seldom.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}
