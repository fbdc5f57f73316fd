//! Files that hold keys or passwords: a model sees nothing of them and writes nothing over them, unless the user named the file.

use std::sync::Arc;

use assist_base::DocPath;
use assist_runtime::looks_secret;

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
