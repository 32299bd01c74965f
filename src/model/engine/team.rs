//! Threads that stay awake through a forward pass.
//!
//! A pass over one text has some forty parallel steps of a fraction of a millisecond each. Threads
//! that went to sleep between them would cost as much as the work, so they look out for the next
//! step for a moment before they do.

#![expect(unsafe_code, reason = "work is lent to threads that live longer than it")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Looks at the next step before a thread goes to sleep: some hundred microseconds.
const LOOKS: usize = 10_000;

/// A fixed number of threads, the caller's own among them.
pub(in super::super) struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// One job at a time.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Shared {
    /// Rises with each job, and once more when the team is dismissed.
    number: AtomicUsize,
    job: Mutex<Option<Arc<Job>>>,
    closed: AtomicBool,
    wake: Condvar,
}

struct Job {
    /// Does the piece with this number. Valid for as long as pieces are left.
    work: &'static (dyn Fn(usize) + Sync),
    pieces: usize,
    next: AtomicUsize,
    done: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is kept behind these locks is ever half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Team {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has none left.
    pub(in super::super) fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut team = Self { shared, helpers: Vec::new(), turn: Mutex::new(()) };
        for n in 1..threads {
            let shared = Arc::clone(&team.shared);
            let named = std::thread::Builder::new().name(format!("encoder-{n}"));
            team.helpers.push(named.spawn(move || shared.help())?);
        }
        Ok(team)
    }

    pub(in super::super) fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Does the work on every item, on all threads, and returns when it is done. Items are taken
    /// in order. The work must not call the team again.
    ///
    /// # Panics
    /// With the work's own panic.
    pub(in super::super) fn each<T: Send>(&self, items: Vec<T>, work: impl Fn(T) + Sync) {
        let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|i| Mutex::new(Some(i))).collect();
        self.run(items.len(), &|at| {
            if let Some(item) = items.get(at).and_then(|item| lock(item).take()) {
                work(item);
            }
        });
    }

    fn run(&self, pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.helpers.is_empty() || pieces < 2 {
            (0..pieces).for_each(work);
            return;
        }
        let turn = lock(&self.turn);
        // SAFETY: `help` calls the work only for a piece that it has claimed and that exists, and
        // counts it as done afterwards. This function leaves only when all pieces are done, so no
        // call outlives the borrow.
        let work = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work)
        };
        let job = Arc::new(Job {
            work,
            pieces,
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panic: Mutex::new(None),
        });
        self.shared.call(Some(Arc::clone(&job)));
        job.help();
        let mut looks = 0;
        while job.done.load(Ordering::Acquire) < pieces {
            looks += 1;
            if looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        drop(turn);
        let panic = lock(&job.panic).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.call(None);
        for helper in self.helpers.drain(..) {
            // It catches its panics, so it ends.
            let _ = helper.join();
        }
    }
}

impl Shared {
    /// Calls the helpers, to a job or to look up. The number rises under the lock: one that has
    /// looked at it and not gone to sleep yet would otherwise sleep through the call.
    fn call(&self, job: Option<Arc<Job>>) {
        let mut current = lock(&self.job);
        *current = job;
        self.number.fetch_add(1, Ordering::Release);
        drop(current);
        self.wake.notify_all();
    }

    fn help(&self) {
        let mut seen = 0;
        while let Some(number) = self.wait(seen) {
            seen = number;
            let job = lock(&self.job).clone();
            if let Some(job) = job {
                job.help();
            }
        }
    }

    /// Waits for a job after the one seen; `None` when the team is dismissed.
    fn wait(&self, seen: usize) -> Option<usize> {
        let news = || {
            let number = self.number.load(Ordering::Acquire);
            (number != seen).then_some(number)
        };
        let mut number = None;
        for _ in 0..LOOKS {
            number = news();
            if number.is_some() {
                break;
            }
            std::hint::spin_loop();
        }
        if number.is_none() {
            let mut job = lock(&self.job);
            number = news();
            while number.is_none() {
                job = self.wake.wait(job).unwrap_or_else(PoisonError::into_inner);
                number = news();
            }
        }
        number.filter(|_| !self.closed.load(Ordering::Acquire))
    }
}

impl Job {
    fn help(&self) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.pieces {
                return;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.work)(at))) {
                lock(&self.panic).get_or_insert(panic);
            }
            self.done.fetch_add(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_job_after_job() {
        for threads in 1..5 {
            let team = Team::new(threads).unwrap();
            for round in 0..200 {
                let mut sums = vec![0; round % 37];
                team.each(sums.iter_mut().enumerate().collect(), |(at, sum)| *sum += at + round);
                assert!(sums.iter().enumerate().all(|(at, sum)| *sum == at + round));
            }
        }
    }

    #[test]
    fn callers_take_turns() {
        let team = Team::new(3).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let done = AtomicUsize::new(0);
                        team.each(vec![1; 20], |n| {
                            done.fetch_add(n, Ordering::Relaxed);
                        });
                        assert_eq!(done.into_inner(), 20);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let team = Team::new(2).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            team.each((0..50).collect(), |n: usize| assert_ne!(n, 33, "on purpose"));
        }));
        assert!(caught.is_err());
        let done = AtomicUsize::new(0);
        team.each(vec![(); 50], |()| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 50);
    }
}
