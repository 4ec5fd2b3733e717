//! How a role learns that it shall end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Ready when somebody presses Ctrl-C or a supervisor sends SIGTERM.
pub(crate) async fn asked_to_end() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            // Then Ctrl-C alone ends the role, as SIGKILL always does.
            Err(_refused) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// A value that turns true when the process is asked to end.
pub(crate) fn shutdown() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        asked_to_end().await;
        sender.send_replace(true);
    });
    receiver
}
