//! Threads that each run a whole forward and backward pass of their share: no pass waits inside.

use anyhow::{Result, anyhow};
use rayon::ThreadPool;
use rayon::prelude::*;

/// One thread for each share of a batch, and all of them for what is done together.
#[derive(Debug)]
pub(super) struct Workers {
    /// Of one thread each, so that a matrix product does not spread over the others'.
    alone: Vec<ThreadPool>,
    together: ThreadPool,
}

impl Workers {
    pub(super) fn new(threads: usize) -> Result<Self> {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let alone = (0..threads).map(|_| pool(1)).collect::<Result<_, _>>()?;
        Ok(Self { alone, together: pool(threads)? })
    }

    /// Runs `work` for each number below `count`; results in that order.
    ///
    /// # Errors
    /// The first error, in that order.
    pub(super) fn map<T: Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let threads = self.alone.len();
        let work = &work;
        let mut shares = std::thread::scope(|scope| {
            // Collected first: all have to be started before one is waited for.
            let started: Vec<_> = self
                .alone
                .iter()
                .enumerate()
                .map(|(first, pool)| {
                    let share =
                        move || (first..count).step_by(threads).map(work).collect::<Vec<_>>();
                    scope.spawn(move || pool.install(share))
                })
                .collect();
            let ended = started.into_iter().map(|thread| thread.join().map(Vec::into_iter));
            ended.collect::<Result<Vec<_>, _>>()
        })
        .map_err(|_| anyhow!("a training thread stopped"))?;
        (0..count)
            .map(|n| shares[n % threads].next().ok_or_else(|| anyhow!("a share is missing"))?)
            .collect()
    }

    /// Runs something whose parallel parts may use every thread.
    pub(super) fn together<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.together.install(work)
    }

    /// `sum ← sum + more`, element by element.
    pub(super) fn add(&self, sum: &mut [Vec<f32>], more: &[Vec<f32>]) {
        self.together(|| {
            sum.par_iter_mut().zip(more).for_each(|(sum, more)| {
                for (s, m) in sum.iter_mut().zip(more) {
                    *s += m;
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_errors_come_out() {
        for threads in [1, 2, 5] {
            let workers = Workers::new(threads).unwrap();
            let squares = workers.map(7, |n| Ok(n * n)).unwrap();
            assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36]);
            let failed = workers.map(7, |n| if n == 4 { Err(anyhow!("four")) } else { Ok(n) });
            assert_eq!(failed.unwrap_err().to_string(), "four");
            let mut sum = vec![vec![1.0, 2.0], vec![3.0]];
            workers.add(&mut sum, &[vec![0.5, 0.5], vec![1.0]]);
            assert_eq!(sum, [vec![1.5, 2.5], vec![4.0]]);
        }
    }
}
