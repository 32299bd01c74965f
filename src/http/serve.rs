//! The loop that takes connections: a bounded number, none of which may dawdle over its head.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long a client may take over a request's head, or keep a connection idle.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// After a failed accept (no file handles left, say).
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` resolves, then lets requests in flight finish. At most `connections` are
/// open at once; further ones wait to be accepted.
///
/// # Errors
/// Never today; the listener's own failures are logged and waited out.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let permits = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (stream, permit) = tokio::select! {
            () = &mut stop => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            (stream, permit) = accepted => (stream, permit),
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        open.spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}
