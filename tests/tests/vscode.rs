//! The real VS Code: code-server in Chromium, the built extension, the built server, and the simulator as the model.
//!
//! One test starts all of it once and lets `tests/vscode/drive.mjs` do what a user does; each scenario there is named in its
//! output, and its prompt has a rule here. `cargo xtask provision vscode` installs what is needed; without it the test says
//! `skipped: …` and passes, unless `ASSIST_REQUIRE_EDITORS=1`.
//!
//! While working on it: `ASSIST_TEST_ONLY="palette cancel"` runs some scenarios, `ASSIST_TEST_SHOTS=FOLDER` leaves pictures.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assist_simulator::{
    Asked, Gitea, Manner, Match, Place, Reply, Route, Rule, SENTINEL, Script, Simulator, answer, component,
};
use serde_json::{Value, json};

/// The key that the user of the scenario `no_key` types.
const TYPED_KEY: &str = "sk-only-for-this-test";

/// `Counter` of the fixture, with a button more.
const COUNTER: &str = r#"export function Counter({ label, start = 0 }: CounterProps) {
  const [count, setCount] = useState(start);
  const increment = () => setCount((count) => count + 1);
  const reset = () => setCount(start);

  return (
    <section className="counter">
      <h2>{label}</h2>
      <p>{formatCount(count)}</p>
      <button onClick={increment}>More</button>
      <button onClick={reset}>Reset</button>
    </section>
  );
}
"#;

const FORMAT_COUNT: &str = r#"export function formatCount(count: number): string {
  return new Intl.NumberFormat("en").format(count);
}
"#;

const NAV: &str = "export function Nav() {\n  return <nav>home</nav>;\n}\n";

const TOP: &str = "import { Nav } from \"./Nav\";\n\nexport function Top() {\n  return <Nav />;\n}\n";

const EXPLANATION: &str = r"`Counter` keeps one number in state and shows it above a button.

1. **State.** `useState(start)` reads `start` once; later renders ignore it.
2. **Clicks.** Each click calls `setCount(count + 1)`. Two clicks in one frame both read the *same* `count`, so one of them is lost.

The function form does not lose any:

```tsx
const increment = () => {
  setCount((count) => count + 1);
};
```

| Clicks in one frame | Now | With the function form |
|---|---|---|
| one | +1 | +1 |
| two | +1 | **+2** |

![](http://127.0.0.1:9/an-image-that-nobody-must-fetch.png)

The end of the explanation.
";

/// The tokens of the forge and of the deployment service.
const FORGE_TOKEN: &str = "gt-vscode";
const DEPLOY_TOKEN: &str = "1|vscode";

#[test]
fn what_a_user_does_in_vs_code() {
    let editor = match Editor::find() {
        Ok(editor) => editor,
        Err(why) if std::env::var("ASSIST_REQUIRE_EDITORS").is_ok_and(|value| value == "1") => {
            panic!("{why}")
        }
        Err(why) => {
            report(&format!("skipped vscode what_a_user_does_in_vs_code: {why}"));
            return say(&format!("skipped: {why}"));
        }
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let simulator = Simulator::start(Script {
        gitea: Some(Gitea {
            root: folder.path().join("forge"),
            login: "ada".to_owned(),
            token: FORGE_TOKEN.to_owned(),
        }),
        routes: Route::coolify(DEPLOY_TOKEN, "visitors1", "ada/visitors"),
        ..script()
    });
    editor.install_extension(folder.path());
    let server = CodeServer::start(&editor, folder.path(), &simulator);
    let results = drive(&editor, &server, &simulator, folder.path());
    drop(server);

    let failed: Vec<&Value> = results.iter().filter(|result| result["ok"] != true).collect();
    if !failed.is_empty() {
        let kept = folder.keep();
        panic!(
            "{failed:#?}\nfolders and pictures are in {}\nthe model: {:?}",
            kept.display(),
            simulator.problems()
        );
    }
    assert!(!results.is_empty(), "no scenario ran");
    assert_eq!(simulator.problems(), Vec::<String>::new());
    let ran = |name: &str| results.iter().any(|result| result["scenario"] == name);
    if ran("cancel") {
        // Cancelling closed the connection to the model.
        simulator.blocking_disconnected();
    }
    if ran("delivered") {
        let posts = |path: &str| {
            let requests = simulator.all_requests();
            requests.iter().filter(|r| r.method == "POST" && r.path.contains(path)).count()
        };
        assert_eq!((posts("git-receive-pack"), posts("/api/v1/deploy")), (1, 1));
    }
    if ran("no_key") {
        assert!(simulator.requests().iter().any(|request| request.key.as_deref() == Some(TYPED_KEY)));
        let workspaces = folder.path().join("workspaces");
        assert_eq!(holding(&workspaces, TYPED_KEY), Vec::<PathBuf>::new(), "the key is in no workspace");
        let profile = folder.path().join("home/data");
        assert_eq!(
            holding(&profile, TYPED_KEY),
            Vec::<PathBuf>::new(),
            "the key is in no setting and no log"
        );
    }
}

/// What the model answers. Rules match by what was asked, so that scenarios do not depend on each other.
fn script() -> Script {
    let counter = || answer("Counter", "src/Counter.tsx", COUNTER);
    let slowly = |text: String| Reply { delay_ms: Some(25), ..Reply::text(text) }.delta_chars(8);
    let cut = counter();
    let both = format!(
        "I will add a reset button and format the number.\n\n{}{}{SENTINEL}",
        component("Counter", "src/Counter.tsx", COUNTER),
        component("formatCount", "src/Counter.tsx", FORMAT_COUNT)
    );
    let mut rules = planning();
    rules.extend([
        Rule::asked("Explain the selected code", Reply { delay_ms: Some(5), ..Reply::text(EXPLANATION) }),
        Rule::asked("Fix the problem", Reply::from_request(repaired)),
        Rule::asked("Add a reset button slowly", slowly(counter()).stall(Place::Line(4))),
        Rule::asked("Add a reset button when I have seen it", slowly(counter()).stall(Place::Line(4))),
        Rule::asked("Add a reset button and never finish", slowly(counter()).stall(Place::Line(4))),
        Rule::asked(
            "Add a reset button in two parts",
            Reply::text(cut.clone()).cut(Place::Line(7), assist_simulator::Ending::LengthStop),
        ),
        Rule::about("Add a reset button in two parts", Reply::continuing(cut, Manner::default())),
        Rule::asked("Add a reset button after a rest", slowly(counter()).stall(Place::Line(4))).times(1),
        Rule::asked("Add a reset button after a rest", Reply::text(counter())),
        Rule::about("Add a reset button after a rest", Reply::continuing(counter(), Manner::default())),
        Rule::asked("Let people start over", slowly(both).stall(Place::After("new Intl".into()))),
        // A little slow, so that the progress can be seen.
        Rule::when(
            Match { last_user: Some("Add a reset button".into()), ..Match::default() },
            Reply { delay_ms: Some(8), ..Reply::text(counter()) },
        ),
    ]);
    Script::new(rules)
}

/// A plan of three steps, of two when the user wants the footer left alone, and the work on it.
fn planning() -> Vec<Rule> {
    let in_system = |system: &str, said: &str, reply: Reply| {
        let when = Match { system: Some(system.into()), last_user: Some(said.into()), ..Match::default() };
        Rule::when(when, reply)
    };
    let plan = |footer: bool| {
        let mut steps = vec![
            json!({ "title": "Add a navigation", "why": "it leads home from every page", "files": ["src/Nav.tsx"] }),
            json!({ "title": "Show it", "files": ["src/top.tsx"], "needs": [1] }),
        ];
        if footer {
            steps.push(json!({ "title": "Say it in the footer", "files": ["src/App.tsx"], "needs": [1] }));
        }
        let plan = json!({ "summary": "Visitors find their way.", "steps": steps });
        Reply::text("").tool("propose_plan", &plan.to_string())
    };
    let task = |title: &str, file: &str, depends_on: &[usize]| {
        json!({
            "title": title, "instructions": "Write it.", "files": [file], "depends_on": depends_on,
            "tier": "B", "kind": "edit",
        })
    };
    let submit =
        |tasks: &[Value]| Reply::text("").tool("submit_tasks", &json!({ "tasks": tasks }).to_string());
    let (nav, top) = (task("The nav", "src/Nav.tsx", &[]), task("The top", "src/top.tsx", &[1]));
    let scope = "You scope changes of code";
    vec![
        in_system("worth remembering", "", Reply::text("{\"memories\": []}")),
        Rule::asked("The nav\n", Reply::text(answer("Nav", "src/Nav.tsx", NAV))),
        Rule::asked("The top\n", Reply::text(answer("Top", "src/top.tsx", TOP))),
        in_system(scope, "2. Show it", submit(&[nav.clone(), top])),
        in_system(scope, "The user has confirmed", submit(&[nav])),
        Rule::asked("The plan was carried out", Reply::text("The navigation is there.")),
        Rule::asked("Leave the footer alone", plan(false)),
        Rule::asked("Let visitors find their way", plan(true)),
    ]
}

/// Repairs the selection that the request holds, under the name and with the id that the system prompt asks for.
fn repaired(asked: &Asked) -> String {
    let after =
        |start: &str, text: &str| text.split_once(start).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let word = |start: &str| {
        let rest = after(start, &asked.system);
        rest.split_whitespace().next().unwrap_or_default().trim_end_matches('.').to_owned()
    };
    let selection = after("<selection>\n", asked.last_user());
    let selection = selection.split_once("\n</selection>").map_or("", |(selected, _)| selected);
    let code = selection.replace("sum: string", "sum");
    answer(&word("with the name "), "src/total.ts", &code).replace("@@id@@", &word("The id is always "))
}

/// What is installed on this machine.
struct Editor {
    /// Holds `node_modules` with code-server and playwright-core.
    folder: PathBuf,
    chromium: PathBuf,
}

impl Editor {
    /// Finds everything; the error is one sentence with the fix.
    fn find() -> Result<Self, String> {
        let provision = "run `cargo xtask provision vscode`";
        let folder = match std::env::var_os("ASSIST_TEST_CODE_SERVER") {
            Some(folder) => PathBuf::from(folder),
            None => {
                provisioned().ok_or_else(|| format!("VS Code for tests is not installed; {provision}"))?
            }
        };
        if !folder.join(CODE_SERVER).is_file() {
            return Err(format!("there is no code-server in {}; {provision}", folder.display()));
        }
        let named = std::env::var_os("ASSIST_TEST_CHROMIUM").map(PathBuf::from);
        let browsers = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
        let chromium = named
            .or_else(|| browsers.iter().find_map(|name| on_path(name)))
            .ok_or("Chromium is not installed; install the package chromium or name the browser in ASSIST_TEST_CHROMIUM")?;
        if !extension().join("node_modules").is_dir() {
            return Err(format!(
                "the packages that build the VS Code extension are not installed; {provision}"
            ));
        }
        Ok(Self { folder, chromium })
    }

    /// Builds the extension and puts what a VSIX holds of it where VS Code looks for extensions.
    fn install_extension(&self, folder: &Path) {
        let source = extension();
        let built = Command::new("node").arg("esbuild.mjs").current_dir(&source).status();
        assert!(built.expect("node can be started").success(), "the extension can be built");
        let to = folder.join("extensions").join("assist.assist-0.1.0");
        for file in ["package.json", "out/extension.js", "images/icon.png"] {
            let at = to.join(file);
            fs::create_dir_all(at.parent().expect("a file is in a folder")).expect("folders can be made");
            fs::copy(source.join(file), at).expect("the extension's files are there");
        }
    }
}

const CODE_SERVER: &str = "node_modules/code-server/out/node/entry.js";

/// Where the server of the tests looks for the user's configuration and keys.
fn config_folder(folder: &Path) -> PathBuf {
    folder.join("home").join("assist")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests are in a folder of the repository")
        .to_owned()
}

fn extension() -> PathBuf {
    repository().join("editors").join("vscode")
}

/// The newest installation by `cargo xtask provision vscode`.
fn provisioned() -> Option<PathBuf> {
    let cache =
        std::env::var_os("ASSIST_EDITOR_CACHE").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| repository().join("target").join("editors"));
    let entries = fs::read_dir(cache).ok()?.flatten();
    let complete = entries.filter(|entry| {
        entry.file_name().to_string_lossy().starts_with("code-server-")
            && entry.path().join("ready").is_file()
    });
    complete
        .max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok())
        .map(|entry| entry.path())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// A running code-server, in a home of its own. Ends with the value.
struct CodeServer {
    process: Child,
    url: String,
}

impl CodeServer {
    fn start(editor: &Editor, folder: &Path, simulator: &Simulator) -> Self {
        let home = folder.join("home");
        let data = home.join("data");
        for made in [data.join("User"), config_folder(folder)] {
            fs::create_dir_all(made).expect("folders can be made");
        }
        let settings = repository().join("tests").join("vscode").join("settings.json");
        fs::copy(settings, data.join("User").join("settings.json")).expect("the settings are there");

        let mut command = Command::new("node");
        command.arg(editor.folder.join(CODE_SERVER));
        command.args(["--auth", "none", "--bind-addr", "127.0.0.1:0"]);
        command.arg("--user-data-dir").arg(&data).arg("--extensions-dir").arg(folder.join("extensions"));
        command.args(["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]);
        command.args(["--disable-getting-started-override", "--disable-proxy"]);
        // Nothing of the user who runs the tests: no keys, no configuration, no keyring, no VS Code around this one.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let foreign = [
                "ANTHROPIC_",
                "OPENAI_",
                "NIM_",
                "OPENROUTER_",
                "OLLAMA_",
                "GEMINI_",
                "TIER_",
                "ASSIST_",
                "VSCODE_",
                "XDG_",
                "DBUS_",
            ];
            if foreign.iter().any(|start| name.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command.env("HOME", &home).env("ASSIST_BIN", assist_tests::binary::assist());
        command.env("ANTHROPIC_API_KEY", "sk-simulated").env("ANTHROPIC_BASE_URL", &simulator.url);
        command.env("ASSIST_CONFIG_DIR", config_folder(folder));
        // The simulator is the forge and the deployment service as well; a workspace that is no repository is offered neither.
        command.env("GITEA_URL", &simulator.url).env("GITEA_TOKEN", FORGE_TOKEN);
        command.env("COOLIFY_URL", &simulator.url).env("COOLIFY_TOKEN", DEPLOY_TOKEN);
        command.env("FORCE_NODE_VERSION", node_major()).stdin(Stdio::null()).stdout(Stdio::piped());
        let errors = fs::File::create(folder.join("code-server.err")).expect("files can be made");
        let mut process = command.stderr(errors).spawn().expect("node can be started");

        let mut lines =
            BufReader::new(process.stdout.take().expect("it was piped")).lines().map_while(Result::ok);
        let mut said = String::new();
        let url = lines.by_ref().find_map(|line| {
            said.push_str(&line);
            said.push('\n');
            let (_, url) = line.split_once("HTTP server listening on ")?;
            Some(url.trim().trim_end_matches('/').to_owned())
        });
        let Some(url) = url else {
            let errors = fs::read_to_string(folder.join("code-server.err")).unwrap_or_default();
            panic!("code-server did not start: {said}{errors}");
        };
        // Nobody reads on, but it must not stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }
}

impl Drop for CodeServer {
    fn drop(&mut self) {
        // Asked politely, it ends the processes it started: the extension hosts and their language servers.
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// code-server refuses other versions than its own unless it is told to go on.
fn node_major() -> String {
    let output = Command::new("node").arg("--version").output().expect("node can be started");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    version.trim().trim_start_matches('v').split('.').next().unwrap_or_default().to_owned()
}

/// Runs the scenarios; one result each.
fn drive(editor: &Editor, server: &CodeServer, simulator: &Simulator, folder: &Path) -> Vec<Value> {
    let mut command = Command::new("node");
    command.arg(repository().join("tests").join("vscode").join("drive.mjs"));
    command.arg("--url").arg(&server.url).arg("--editor").arg(&editor.folder);
    command.arg("--chromium").arg(&editor.chromium).arg("--workspaces").arg(folder.join("workspaces"));
    command.arg("--config").arg(config_folder(folder)).args(["--openai", &simulator.openai_url()]);
    let terminal = json!({
        "program": assist_tests::binary::assist(),
        "env": {
            "PATH": std::env::var("PATH").unwrap_or_default(), "HOME": folder.join("home"),
            "ASSIST_CONFIG_DIR": config_folder(folder),
            "ANTHROPIC_API_KEY": "sk-simulated", "ANTHROPIC_BASE_URL": simulator.url,
        },
    });
    command.arg("--cli").arg(terminal.to_string());
    if let Some(shots) = std::env::var_os("ASSIST_TEST_SHOTS") {
        command.arg("--shots").arg(repository().join(shots));
    }
    if let Ok(only) = std::env::var("ASSIST_TEST_ONLY") {
        command.args(only.split_whitespace());
    }
    let output = command.stderr(Stdio::inherit()).output().expect("node can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let results: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for result in &results {
        report(&format!("ran vscode {}", result["scenario"].as_str().unwrap_or_default()));
        say(&format!(
            "{} {}: {} s",
            if result["ok"] == true { "ok    " } else { "FAILED" },
            result["scenario"],
            result["seconds"]
        ));
    }
    assert!(!results.is_empty(), "the driver ended with {} and said: {said}", output.status);
    results
}

/// Tells `cargo xtask test`, which gathers what ran in which editor, in the file it names.
fn report(line: &str) {
    let Some(file) = std::env::var_os("ASSIST_TEST_REPORT") else { return };
    let file = fs::OpenOptions::new().append(true).create(true).open(file);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.expect("the report can be written");
}

/// The files below a folder that hold these bytes.
fn holding(folder: &Path, bytes: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path)
            .is_ok_and(|held| held.windows(bytes.len()).any(|part| part == bytes.as_bytes()))
        {
            found.push(path);
        }
    }
    found
}

#[expect(clippy::print_stdout, reason = "what ran and what was skipped is for whoever runs the tests")]
fn say(line: &str) {
    println!("{line}");
}
