//! `assist adopt`: the workspace's database is the user's, whatever else says so.

use assist_runtime::{Trust, Workspace};
use assist_store::{Seal, Store, StoreError};

use super::{print, root};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::folders::data_folder;

/// Marks the database as the user's own. Nothing else of it is changed, and none of its runs goes on by this.
pub async fn run(global: &Global) -> Result<Exit, Stop> {
    let root = root(global, None)?;
    let Some(own) = data_folder() else {
        return Err(Stop::usage("There is no folder for what Assist keeps for you. Set ASSIST_DATA_DIR."));
    };
    let adopted = tokio::task::spawn_blocking(move || {
        let seal = Seal::of_user(&own)
            .map_err(|error| Stop::failed(format!("{} cannot be used: {error}.", own.display())))?;
        let folder = Workspace::open(&root, Trust::Trusted)
            .map_err(|error| Stop::usage(error.to_string()))?
            .assist_dir();
        let path = folder.join("assist.db");
        let said = match Store::adopt(&folder, &seal) {
            Ok(true) => format!(
                "{} is yours from now on. `assist sessions` lists its runs, `assist memory list` what it remembers.",
                path.display()
            ),
            Ok(false) => format!("{} was yours already.", path.display()),
            Err(StoreError::NotFound { .. }) => {
                return Err(Stop::usage(format!("There is no {} to take over.", path.display())));
            }
            Err(error) => return Err(Stop::failed(error.to_string())),
        };
        Ok(said)
    });
    let said = adopted.await.map_err(|error| Stop::failed(error.to_string()))??;
    print(&format!("{said}\n"));
    Ok(Exit::Done)
}
