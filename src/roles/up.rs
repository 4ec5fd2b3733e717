//! `up`: the whole service on one machine, from one command.

use super::signals;
use super::stage::{Stage, StageArgs};
use super::terminal::{remark, say};

/// Starts everything and keeps it running until the process is asked to end.
pub(crate) async fn up(args: &StageArgs) -> anyhow::Result<()> {
    let mut stage = Stage::open(args).await?;
    let played = match stage.ready().await {
        Ok(true) => {
            say(format!("Service         {}", stage.public_url));
            say(format!("Health code     {} (reference issuing system)", stage.issuer_url));
            let folder = stage.house.folder.clone().unwrap_or_default();
            say(format!("Data and logs   {}", folder.display()));
            say("Ctrl-C ends it; nothing is lost.");
            stage.keep(signals::asked_to_end()).await;
            Ok(())
        }
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    remark("ending the roles and the servers");
    stage.close()?;
    played
}
