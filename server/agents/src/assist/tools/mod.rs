//! What Assist can do while it thinks. Each tool is one file here and one line in [`all`].
//!
//! Laws: a tool only reads, or asks the user; what changes the workspace is done by the pipeline alone, and by commands that the
//! user or their rules allow. Arguments come from a
//! model and are checked against the tool's own type. Paths stay inside the workspace and out of Git's and Assist's
//! folders, and files that look like they hold keys are not shown; each such attempt is an event.

mod ask_user;
mod execute_command;
mod git_diff;
mod git_log;
mod list_files;
mod outline;
mod propose_plan;
mod read_file;
mod recall;
mod remember;
mod search;
mod sessions_search;
mod web_fetch;
mod web_search;

use assist_base::DocPath;
use assist_runtime::git::{GitError, Repository};
use assist_runtime::looks_secret;
use assist_store::StoreError;
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::bench::Bench;
use crate::host::HostError;
use crate::run::{Break, Run};

/// What a tool gives back.
pub(crate) enum Outcome {
    /// Text from elsewhere: marked as material.
    Material(String),
    /// Text of the web, and the pages it is of: marked as material.
    Web(String, Vec<Source>),
    /// What Assist or the user says.
    Said(String),
    /// The user wants no more; the run ends with this sentence.
    Over(String),
}

/// A page of the web.
pub(crate) struct Source {
    pub(crate) title: String,
    pub(crate) url: String,
}

/// The tool that reads pages.
pub(crate) const WEB_FETCH: &str = "web_fetch";

/// Why a tool gives nothing back.
pub(crate) enum ToolError {
    /// It cannot be done so; the model is told why.
    Failed(String),
    /// It may not be done; the user is told too.
    Refused(String),
    /// The run does not go on.
    Break(Break),
}

impl From<Break> for ToolError {
    fn from(halted: Break) -> Self {
        ToolError::Break(halted)
    }
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid { .. } | StoreError::NotFound { .. } => ToolError::Failed(error.to_string()),
            error => ToolError::Break(error.into()),
        }
    }
}

/// A tool.
#[async_trait]
pub(crate) trait Tool: Send + Sync {
    /// What the model is told of it.
    fn spec(&self) -> assist_gateway::Tool;

    /// What of a call the user sees: a few words.
    fn about(&self, arguments: &Map<String, Value>) -> String;

    /// The address outside that a call goes to: one that somebody else than the model must have named.
    fn address<'a>(&self, _arguments: &'a Map<String, Value>) -> Option<&'a str> {
        None
    }

    /// Makes a call.
    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError>;
}

/// Every tool.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn Tool> {
    const ALL: [&dyn Tool; 14] = [
        &search::Search,
        &read_file::ReadFile,
        &outline::OutlineFile,
        &list_files::ListFiles,
        &git_log::GitLog,
        &git_diff::GitDiff,
        &sessions_search::SessionsSearch,
        &web_search::WebSearch,
        &web_fetch::WebFetch,
        &recall::RecallMemory,
        &remember::Remember,
        &ask_user::AskUser,
        &execute_command::ExecuteCommand,
        &propose_plan::ProposePlan,
    ];
    ALL.into_iter()
}

/// What the model may call: nothing is planned where nothing can be changed, and the web is there where it is set up.
pub(crate) fn offered(bench: &Bench<'_>) -> Vec<assist_gateway::Tool> {
    let changing = ["propose_plan", "execute_command"];
    let run = bench.run;
    let specs = all().map(Tool::spec);
    specs
        .filter(|spec| run.may_write || !changing.contains(&spec.name.as_str()))
        .filter(|spec| is_there(run, &spec.name))
        .collect()
}

/// What looks at the workspace, or at the web, and does nothing else.
pub(crate) fn reading(run: &Run) -> impl Iterator<Item = assist_gateway::Tool> {
    let reading =
        ["search", "read_file", "outline", "list_files", "git_log", "git_diff", "web_search", WEB_FETCH];
    all()
        .map(Tool::spec)
        .filter(move |spec| reading.contains(&spec.name.as_str()) && is_there(run, &spec.name))
}

fn is_there(run: &Run, tool: &str) -> bool {
    match tool {
        "web_search" => run.settings.web.search.is_some(),
        WEB_FETCH => run.settings.web.fetch,
        _ => true,
    }
}

/// A tool as the model is told of it.
fn spec(name: &str, description: &str, parameters: Value) -> assist_gateway::Tool {
    assist_gateway::Tool { name: name.to_owned(), description: description.to_owned(), parameters }
}

/// The arguments as the tool's own type.
fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolError> {
    serde_json::from_value(arguments).map_err(|error| {
        ToolError::Failed(format!("The arguments cannot be used: {error}. Call the tool again."))
    })
}

/// A text among the arguments, for the user to see.
fn text(arguments: &Map<String, Value>, name: &str) -> String {
    let text = arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// A path that the model named, where it may be shown.
fn path(named: &str) -> Result<DocPath, ToolError> {
    let path = DocPath::relative(named)
        .map_err(|error| ToolError::Refused(format!("{named} is not shown: {error}.")))?;
    if looks_secret(&path) {
        return Err(ToolError::Refused(format!(
            "{path} is not shown: by its name it holds keys or passwords."
        )));
    }
    Ok(path)
}

/// The present text of a document, unsaved edits included.
async fn document(run: &Run, path: &DocPath) -> Result<String, ToolError> {
    // The host reads what is open by name; where a link leads is only seen on disk.
    let (workspace, wanted) = (std::sync::Arc::clone(&run.workspace), path.clone());
    let place = tokio::task::spawn_blocking(move || {
        let real = workspace.absolute(&wanted)?;
        workspace.doc_path(&real)
    })
    .await
    .map_err(|error| ToolError::Failed(format!("Assist failed inside: {error}")))?;
    match place {
        Ok(real) if looks_secret(&real) => {
            return Err(ToolError::Refused(format!("{path} is not shown: it leads to {real}.")));
        }
        Ok(_) => {}
        Err(error) => return Err(ToolError::Refused(format!("{path} is not shown: {error}."))),
    }
    match run.host.read(path).await {
        Ok(document) => Ok(document.text),
        Err(HostError::Gone) => Err(ToolError::Break(HostError::Gone.into())),
        Err(error) => Err(ToolError::Failed(format!("{error}."))),
    }
}

/// What a look at the workspace's repository gives.
async fn repository<T: Send + 'static>(
    run: &Run,
    look: impl FnOnce(&Repository) -> Result<T, GitError> + Send + 'static,
) -> Result<T, ToolError> {
    let workspace = std::sync::Arc::clone(&run.workspace);
    let looked = tokio::task::spawn_blocking(move || look(&Repository::open(&workspace)?)).await;
    let looked = looked.map_err(|error| ToolError::Failed(format!("Assist failed inside: {error}")))?;
    looked.map_err(|error| ToolError::Failed(format!("That cannot be read: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_schema_that_forbids_what_it_does_not_know() {
        let mut names: Vec<String> = all().map(|tool| tool.spec().name).collect();
        for tool in all() {
            let schema = tool.spec().parameters;
            assert_eq!(schema["type"], "object", "{}", tool.spec().name);
            assert_eq!(schema["additionalProperties"], false, "{}", tool.spec().name);
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn paths_of_models_stay_inside_and_away_from_keys() {
        assert!(path("src/app.ts").is_ok());
        for hostile in
            ["../x", "/etc/passwd", "C:\\x", "a/../../x", ".env", "config/prod.env", "x/id_rsa", ""]
        {
            assert!(matches!(path(hostile), Err(ToolError::Refused(_))), "{hostile}");
        }
    }
}
