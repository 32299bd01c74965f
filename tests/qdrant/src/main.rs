//! A vector server for the tests: Qdrant's gRPC on top of Qdrant's embedded engine.
//!
//! It knows the calls that Deskhand makes, with the answers that a real server gives, and says
//! `UNIMPLEMENTED` to all others. The engine searches exactly: it builds graphs only when told to,
//! and nothing here tells it. Not for anything but tests.
#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "every call has the same signature, so that they fit into one table"
)]

mod collections;
mod convert;
mod faults;
mod points;
mod service;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use qdrant_client::qdrant::collections_server::CollectionsServer;
use qdrant_client::qdrant::points_server::PointsServer;
use qdrant_client::qdrant::qdrant_server::QdrantServer;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tonic::transport::Server as Transport;
use tonic::transport::server::TcpIncoming;

use collections::Collections;
use faults::Faults;
use service::Server;

/// How long requests in flight may hold up the end.
const GRACE: Duration = Duration::from_millis(500);

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// The folder of the collections; made where it is missing
    #[arg(long)]
    storage: PathBuf,
    /// Where to listen; the address that came of it is the first line of standard output
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Ask every call for this key
    #[arg(long)]
    api_key: Option<String>,
    /// While this file exists, every call fails as its first line says: the name of a status, as
    /// in `UNAVAILABLE`; `RESOURCE_EXHAUSTED 7`, to come back after 7 seconds; or `DEADLINE 2000`,
    /// to answer that time has run out only after so many milliseconds
    #[arg(long, value_name = "PATH")]
    refuse_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let faults = Faults { refuse_file: arguments.refuse_file, api_key: arguments.api_key };
    let server = Server::new(Collections::open(arguments.storage)?, faults);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(arguments.listen).await?;
    let mut output = std::io::stdout();
    writeln!(output, "{}", listener.local_addr()?)?;
    output.flush()?;
    let (stop, stopping) = oneshot::channel::<()>();
    let serving = Transport::builder()
        .add_service(QdrantServer::new(server.clone()))
        .add_service(CollectionsServer::new(server.clone()))
        // As the real server: a request may be as long as it likes.
        .add_service(PointsServer::new(server).max_decoding_message_size(usize::MAX))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), async {
            let _ = stopping.await;
        });
    let mut serving = Box::pin(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = stop.send(());
    // Whatever still sleeps over a request is left behind: all that was acknowledged is on disk.
    let _ = tokio::time::timeout(GRACE, serving).await;
    Ok(())
}
