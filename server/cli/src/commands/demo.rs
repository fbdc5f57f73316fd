//! `assist demo`: the main job on a small project. The model's words are replayed; everything else is real.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assist_agents::{
    AskRequest, ConfigError, Engine, EngineError, Host, Intent, Layer, Options, Scope, Settings, Wiring,
    settings,
};
use assist_base::{DocPath, RunState, SystemClock};
use assist_gateway::Transcript;
use assist_runtime::Trust;
use assist_store::ListFilter;
use assist_syntax::Language;

use super::print;
use crate::exit::{Exit, Stop};
use crate::folders::data_folder;
use crate::host::DiskHost;
use crate::render::{Style, Text};

/// The project, as it is before.
const PROJECT: &[(&str, &str)] = &[
    ("package.json", include_str!("../../demo/project/package.json")),
    ("tsconfig.json", include_str!("../../demo/project/tsconfig.json")),
    ("index.html", include_str!("../../demo/project/index.html")),
    ("src/main.tsx", include_str!("../../demo/project/src/main.tsx")),
    ("src/App.tsx", include_str!("../../demo/project/src/App.tsx")),
    ("src/products.ts", include_str!("../../demo/project/src/products.ts")),
    ("src/components/ProductList.tsx", include_str!("../../demo/project/src/components/ProductList.tsx")),
    ("src/components/CartSummary.tsx", include_str!("../../demo/project/src/components/CartSummary.tsx")),
];
/// The model's words.
const TRANSCRIPT: &str = include_str!("../../demo/transcript.json");
const FILE: &str = "src/components/CartSummary.tsx";
const PROMPT: &str = "Show what is in the cart, with amounts as money.";

/// Configuration of the demo: the transcript, and nothing of the user's but that its database is theirs afterwards.
struct Replayed(Transcript);

impl Wiring for Replayed {
    fn seal_folder(&self) -> Option<PathBuf> {
        data_folder()
    }

    fn settings(&self, _root: &Path, _editor: &Options) -> Result<Settings, ConfigError> {
        let layer = Layer { scope: Scope::User, source: "the demo".to_owned(), options: Options::default() };
        let mut settings = settings::resolve(&[layer]);
        settings.gateway.replay = Some(self.0.clone());
        Ok(settings)
    }
}

/// Plays the demo in `output`, or in a new temporary folder that stays.
pub async fn run(output: Option<PathBuf>) -> Result<Exit, Stop> {
    let style = Style::of(&std::io::stdout());
    let heading = |text: &str| print(&format!("\n{}\n", style.bold(text)));
    let folder = lay_out(output)?;
    print(&format!("{}\n", style.bold("Assist demo: a change that breaks off, and is never applied broken")));
    print(&format!("A small React + TypeScript shop is in {}\n", folder.display()));

    heading("The request");
    print(&format!("  in {FILE}: “{PROMPT}”\n"));
    heading("The plan");
    print(
        "  1. The model writes one component at a time; nothing reaches a file before the gate finds it whole.\n",
    );
    print("  2. A new file needs a yes (given here by the demo); the file asked about does not.\n");
    print("  3. Its answer will be cut in the middle of a component, on purpose.\n");
    heading("What happens");

    let engine = open(&folder).await?;
    let host = DiskHost::new(Arc::clone(&engine), Arc::new(Text::new()), true);
    let request = AskRequest {
        intent: Intent::Ask,
        prompt: Some(PROMPT.to_owned()),
        path: Some(DocPath::relative(FILE).map_err(|error| Stop::failed(error.to_string()))?),
        revision: None,
        selection: None,
        diagnostics: Vec::new(),
        conversation: None,
    };
    let started = engine.ask(request, Arc::clone(&host) as Arc<dyn Host>).await?;
    let state = engine.wait(started.run).await?;
    if state != RunState::Done {
        return Err(Stop::failed(format!(
            "The run is {state}; `assist logs {}` says why.",
            started.run.short()
        )));
    }

    heading("The change");
    show_changes(&engine, started.run, style).await?;
    heading("The session, read back from .assist/assist.db");
    show_session(&engine, style).await?;
    heading("The files now");
    let valid = show_files(&engine, style)?;

    heading("Where it is");
    print(&format!("  {}\n", folder.display()));
    let place = quoted(&folder);
    print(&format!(
        "  assist --workspace {place} logs {}   what happened, event by event\n",
        started.run.short()
    ));
    print(&format!("  assist --workspace {place} undo {}   takes the change back\n", started.run.short()));
    print(&format!(
        "\n{}\n",
        style.dim("The model's words were replayed from a recording. All else was real: the stream, the cut, the continuation, the gate, the files, the database.")
    ));
    Ok(if valid { Exit::Done } else { Exit::Failed })
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '\\');
    if path.chars().all(plain) { path } else { format!("\"{path}\"") }
}

fn lay_out(output: Option<PathBuf>) -> Result<PathBuf, Stop> {
    let folder = match output {
        Some(folder) => {
            std::fs::create_dir_all(&folder)?;
            if std::fs::read_dir(&folder)?.next().is_some() {
                return Err(Stop::usage(format!("{} is not empty: name a new folder.", folder.display())));
            }
            folder.canonicalize()?
        }
        None => tempfile::Builder::new().prefix("assist-demo-").tempdir()?.keep().canonicalize()?,
    };
    for (path, text) in PROJECT {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(file, text)?;
    }
    Ok(folder)
}

async fn open(folder: &Path) -> Result<Arc<Engine>, Stop> {
    let transcript = Transcript::parse(TRANSCRIPT).map_err(|error| Stop::failed(error.to_string()))?;
    let wiring = Arc::new(Replayed(transcript));
    Ok(Engine::open(folder, Trust::Trusted, wiring, SystemClock::shared(), "demo").await?)
}

/// The diff of every file the run changed, from the copies in the database.
async fn show_changes(engine: &Engine, run: assist_base::RunId, style: Style) -> Result<(), Stop> {
    for snapshot in engine.store().snapshots().list(run).await? {
        let before = match &snapshot.before {
            Some(hash) => text(engine, hash).await?,
            None => String::new(),
        };
        let after = match &snapshot.after {
            Some(hash) => text(engine, hash).await?,
            None => String::new(),
        };
        let diff = assist_syntax::unified(snapshot.path.as_str(), &before, &after);
        print(&format!("{}\n", style.diff(&diff)));
    }
    Ok(())
}

async fn text(engine: &Engine, hash: &assist_base::ContentHash) -> Result<String, Stop> {
    let bytes = engine.store().blobs().get(hash).await?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|error| Stop::failed(error.to_string()))
}

async fn show_session(engine: &Engine, style: Style) -> Result<(), Stop> {
    let sessions = engine.store().sessions().list(ListFilter { limit: 1, state: None }).await?;
    for session in &sessions {
        let events = engine.store().events().list(session.id, 1).await?.len();
        let totals = engine.store().ledger().totals(session.id).await.map_err(EngineError::from)?;
        print(&format!("  run       {}\n", session.id));
        print(&format!("  task      {}\n", session.task));
        print(&format!("  status    {}\n", style.good(session.status.as_str())));
        print(&format!("  summary   {}\n", session.summary.as_deref().unwrap_or_default()));
        print(&format!("  events    {events}\n"));
        print(&format!("  calls     {} to the model, {} tokens out\n", totals.calls, totals.output));
        for checkpoint in engine.store().checkpoints().list(session.id).await? {
            let component = checkpoint.component.unwrap_or_default();
            print(&format!(
                "  {}\n",
                style.dim(format!("checkpoint {} {component}", checkpoint.stage).trim_end())
            ));
        }
    }
    Ok(())
}

/// Parses every source file again, as it is on disk now.
fn show_files(engine: &Engine, style: Style) -> Result<bool, Stop> {
    let mut valid = true;
    let created = ("src/money.ts", "");
    for (path, _) in PROJECT.iter().chain([&created]) {
        let path = DocPath::relative(path).map_err(|error| Stop::failed(error.to_string()))?;
        if Language::of_path(&path).is_none() {
            continue;
        }
        let file = engine.workspace().read(&path)?;
        let faults = assist_syntax::faults(&path, &file.text);
        let mark = if faults.is_empty() { style.good("✓ valid") } else { style.bad("✗ broken") };
        valid &= faults.is_empty();
        print(&format!("  {mark}  {path}\n"));
    }
    Ok(valid)
}
