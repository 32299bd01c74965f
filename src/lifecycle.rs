//! Starting and stopping: every background task is tracked, and shutdown is soft, then hard.

use std::future::Future;
use std::time::Duration;

use tokio::signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of a running program and the wish to stop them. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    tasks: TaskTracker,
    soft: CancellationToken,
}

impl Lifecycle {
    /// Spawns a task that shutdown will wait for. It should end soon after
    /// [`Lifecycle::stopping`] does.
    #[expect(clippy::disallowed_methods, reason = "the one place that may spawn")]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.tasks.track_future(task));
    }

    /// Resolves when shutdown begins.
    pub async fn stopping(&self) {
        self.soft.cancelled().await;
    }

    /// Begins shutdown.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Begins shutdown at the first SIGINT or SIGTERM and leaves the process at the second.
    pub fn stop_on_signal(&self) {
        let lifecycle = self.clone();
        // Not tracked: it waits for signals until the very end.
        #[expect(clippy::disallowed_methods, reason = "ends with the process")]
        tokio::spawn(async move {
            terminated().await;
            tracing::info!("stopping; a second signal stops at once");
            lifecycle.stop();
            terminated().await;
            std::process::exit(130);
        });
    }

    /// Waits until every task has ended, at most `patience`. Returns whether they all did.
    pub async fn drained(&self, patience: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

async fn terminated() {
    let interrupt = async {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
