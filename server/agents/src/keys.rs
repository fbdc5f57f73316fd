//! What is closed to a model: places outside of the workspace, Git's and Assist's own folders, and files that hold keys or
//! passwords, of which it sees nothing and over which it writes nothing unless the user named the file.
//!
//! A plan that names such a place is refused when it is read ([`closed`]), before anyone is asked about it. Whoever writes looks
//! again: what a path leads to can change meanwhile.

use std::sync::Arc;

use assist_base::DocPath;
use assist_runtime::{Workspace, looks_secret};

use crate::run::Run;

/// Why a model may not see `path`, as the end of a sentence about it; nothing where it may. The name counts, and the name of
/// what it leads to.
pub(crate) async fn kept_from_models(run: &Run, path: &DocPath) -> Option<String> {
    if looks_secret(path) {
        return Some("by its name it holds keys or passwords".to_owned());
    }
    // The host reads what is open by name; where a link leads is only seen on disk. What cannot be found is not read either.
    let (workspace, wanted) = (Arc::clone(&run.workspace), path.clone());
    let real = tokio::task::spawn_blocking(move || workspace.doc_path(&workspace.absolute(&wanted)?));
    let real = real.await.ok()?.ok()?;
    looks_secret(&real).then(|| format!("it leads to {real}, which holds keys or passwords by its name"))
}

/// Why no plan may be about a path, as the end of a sentence; nothing where one may. A file that is not there yet may have any
/// name: it holds nothing.
pub(crate) fn closed_in(workspace: &Workspace, path: &DocPath) -> Option<String> {
    let place = match workspace.absolute(path) {
        Ok(place) => place,
        Err(error) => return Some(error.to_string()),
    };
    if place.is_dir() {
        return Some("it is a folder, and a plan names files".to_owned());
    }
    let is_secret = looks_secret(path) || workspace.doc_path(&place).is_ok_and(|real| looks_secret(&real));
    (is_secret && place.symlink_metadata().is_ok()).then(|| {
        "it holds keys or passwords by its name and is neither shown nor changed; leave it to the user"
            .to_owned()
    })
}

/// The first of these paths that is closed, and why.
pub(crate) async fn closed(run: &Run, paths: Vec<DocPath>) -> Option<(DocPath, String)> {
    let workspace = Arc::clone(&run.workspace);
    let looked = tokio::task::spawn_blocking(move || {
        paths.into_iter().find_map(|path| closed_in(&workspace, &path).map(|why| (path, why)))
    });
    looked.await.ok().flatten()
}
