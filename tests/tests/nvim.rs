//! Real Neovims, the oldest that is supported and the newest: the plugin by itself against a toy server, and the whole way with the
//! built server and the simulator as the model.
//!
//! What a user does is written in Lua (`tests/nvim/mechanics.lua`, `tests/nvim/real.lua`) and runs in a Neovim that drives
//! another one by its keys. Here is what the model answers. `cargo xtask provision nvim` installs the editors; without them the tests say
//! `skipped: …` and pass, unless `ASSIST_REQUIRE_EDITORS=1`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use assist_simulator::{
    Asked, Ending, Gitea, Manner, Match, Place, Reply, Route, Rule, Script, Simulator, answer,
};
use serde_json::{Value, json};

const PATH: &str = "src/page.tsx";

/// What the model writes in place of `Hero`; `real.lua` has the same.
const HERO: &str = r#"export function Hero({ title }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <h1 onClick={() => setOpen(!open)}>{open ? title : "…"}</h1>
  );
}
"#;

const EXPLANATION: &str = "It shows the title as a **heading**.\n\nNothing more, and nöthing less. `useState` is imported but not used.\n";

const NAV: &str = "export function Nav() {\n  return <nav>home</nav>;\n}\n";

/// A Neovim version that is tested.
struct Editor {
    /// As the report of `cargo xtask test` names it.
    name: &'static str,
    variable: &'static str,
}

const OLD: Editor = Editor { name: "nvim-0.10", variable: "ASSIST_TEST_NVIM_0_10" };
const NEW: Editor = Editor { name: "nvim-0.12", variable: "ASSIST_TEST_NVIM_0_12" };

impl Editor {
    /// Where it is; the error is one sentence with the fix.
    fn find(&self) -> Result<PathBuf, String> {
        if let Some(place) = std::env::var_os(self.variable).filter(|place| !place.is_empty()) {
            let place = PathBuf::from(place);
            return if place.is_file() {
                Ok(place)
            } else {
                Err(format!("{} names no file: {}", self.variable, place.display()))
            };
        }
        let cache = std::env::var_os("ASSIST_EDITOR_CACHE").filter(|folder| !folder.is_empty());
        let cache = cache.map_or_else(|| repository().join("target").join("editors"), PathBuf::from);
        let entries = fs::read_dir(cache).into_iter().flatten().flatten();
        let installed = entries.filter(|entry| entry.path().join(self.name).is_file());
        installed
            .max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok())
            .map(|entry| entry.path().join(self.name))
            .ok_or_else(|| format!("{} is not installed; run `cargo xtask provision nvim`", self.name))
    }

    /// Runs a Lua file in it, with the simulator as the model if there is one. Says what became of the test where that is collected.
    fn run(&self, test: &str, script: &str, scenario: Option<&str>, model: Option<&Simulator>) {
        let nvim = match self.find() {
            Ok(nvim) => nvim,
            Err(why) if std::env::var("ASSIST_REQUIRE_EDITORS").is_ok_and(|value| value == "1") => {
                panic!("{why}")
            }
            Err(why) => {
                report(&format!("skipped {} {test}: {why}", self.name));
                let _ = writeln!(std::io::stdout(), "skipped: {why}");
                return;
            }
        };
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new(&nvim);
        command
            .args(["--clean", "--headless", "-l"])
            .arg(repository().join("tests").join("nvim").join(script));
        // Nothing of the user who runs the tests: no keys, no configuration, no keyring, no Neovim around this one.
        command.env_clear();
        for name in ["PATH", "TMPDIR", "SYSTEMROOT", "ASSIST_TEST_PATIENCE", "ASSIST_TEST_TELL"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", home.path()).env("LANG", "C.UTF-8");
        for (variable, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_STATE_HOME", "state")]
        {
            command.env(variable, home.path().join(folder));
        }
        command.env("ASSIST_CONFIG_DIR", home.path().join("assist"));
        command.env("ASSIST_TEST_NVIM", &nvim);
        if let Some(scenario) = scenario {
            command.env("ASSIST_TEST_ONLY", scenario);
            command.env("ASSIST_TEST_BIN", assist_tests::binary::assist());
        }
        if let Some(model) = model {
            command.env("ASSIST_TEST_SIMULATOR", &model.url);
            command.env("ANTHROPIC_BASE_URL", &model.url).env("ANTHROPIC_API_KEY", "sk-simulated");
            // It is the forge and the deployment service as well; a workspace that is no repository is offered neither.
            command.env("GITEA_URL", &model.url).env("GITEA_TOKEN", FORGE_TOKEN);
            command.env("COOLIFY_URL", &model.url).env("COOLIFY_TOKEN", DEPLOY_TOKEN);
        }
        let output = command.output().expect("Neovim can be started");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let problems = model.map(Simulator::problems).unwrap_or_default();
        assert!(output.status.success(), "{said}\nthe model: {problems:?}");
        assert_eq!(problems, Vec::<String>::new(), "{said}");
        report(&format!("ran {} {test}", self.name));
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests are in a folder of the repository")
        .to_owned()
}

/// Adds a line to the report that `cargo xtask test` reads, if it is collected.
fn report(line: &str) {
    if let Some(file) = std::env::var_os("ASSIST_TEST_REPORT") {
        let file = fs::OpenOptions::new().append(true).create(true).open(file);
        let mut file = file.expect("the report can be written");
        file.write_all(format!("{line}\n").as_bytes()).expect("the report can be written");
    }
}

/// What stands in the system prompt between two texts.
fn said<'a>(asked: &'a Asked, before: &str, after: &str) -> &'a str {
    let rest = asked.system.split_once(before).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split(after).next()).unwrap_or_default()
}

/// An answer in the selection's place, with the name, the path and the id that the system prompt asks for. `code` gets the name.
fn in_place(code: impl Fn(&str) -> String + Send + Sync + 'static) -> Reply {
    Reply::from_request(move |asked| {
        let name = said(asked, "with the name ", " ");
        let path = said(asked, "and the path \"", "\"");
        let id = said(asked, "The id is always ", ".");
        answer(name, path, &code(name)).replace("@@id@@", id)
    })
}

/// The whole answer for `Hero`.
fn hero() -> String {
    format!("I will keep the title closed until it is clicked.\n\n{}", answer("Hero", PATH, HERO))
}

/// A place in the middle of the new `Hero`.
fn half() -> Place {
    Place::After("setOpen(!open)".into())
}

fn held() -> Script {
    Script::always(Reply::text(hero()).stall(half()))
}

/// The first answer is held in the middle; what was kept of it is continued, else the model is asked anew.
fn rests() -> Script {
    Script::new([
        Rule::always(Reply::text(hero()).delta_chars(40).stall(half())).times(1),
        Rule::asked("cut off", Reply::continuing(hero(), Manner::Exact)),
        Rule::always(Reply::text(hero())),
    ])
}

fn warm() -> Reply {
    let footer = "export function Footer() {\n  return <footer>made with love</footer>;\n}\n";
    Reply::text(answer("Footer", PATH, footer))
}

fn new_file() -> Script {
    Script::always(Reply::text(answer("Nav", "src/Nav.tsx", NAV)))
}

/// What the model writes in the second step of its plan.
const TOP: &str = "import { Nav } from \"./Nav\";\n\nexport function Top() {\n  return <Nav />;\n}\n";

/// A plan of three steps, of two when the user wants the footer left alone, and the work on it. `scoped` are the tasks.
fn planned(scoped: &[Value]) -> Script {
    let in_system = |system: &str, said: &str, reply: Reply| {
        let when = Match { system: Some(system.into()), last_user: Some(said.into()), ..Match::default() };
        Rule::when(when, reply)
    };
    let plan = |footer: bool| {
        let mut steps = vec![
            json!({ "title": "Add a navigation", "why": "it leads home", "files": ["src/Nav.tsx"] }),
            json!({ "title": "Show it", "files": ["src/top.tsx"], "needs": [1] }),
        ];
        if footer {
            steps.push(json!({ "title": "Say it in the footer", "files": [PATH], "needs": [1] }));
        }
        let plan = json!({ "summary": "Visitors find their way.", "steps": steps });
        Reply::text("").tool("propose_plan", &plan.to_string())
    };
    let tasks = json!({ "tasks": scoped });
    Script::new([
        in_system("worth remembering", "", Reply::text("{\"memories\": []}")),
        Rule::asked("The nav\n", Reply::text(answer("Nav", "src/Nav.tsx", NAV))),
        Rule::asked("The top\n", Reply::text(answer("Top", "src/top.tsx", TOP))),
        in_system(
            "You scope changes of code",
            "The user has confirmed",
            Reply::text("").tool("submit_tasks", &tasks.to_string()),
        ),
        Rule::asked("The plan was carried out", Reply::text("The navigation is there.")),
        Rule::asked("Leave the footer alone", plan(false)),
        Rule::asked("people shall find their way", plan(true)),
    ])
}

fn task(title: &str, file: &str, depends_on: &[usize]) -> Value {
    json!({
        "title": title, "instructions": "Write it.", "files": [file], "depends_on": depends_on, "tier": "B",
        "kind": "edit",
    })
}

fn nav_and_top() -> Script {
    planned(&[task("The nav", "src/Nav.tsx", &[]), task("The top", "src/top.tsx", &[1])])
}

fn only_nav() -> Script {
    planned(&[task("The nav", "src/Nav.tsx", &[])])
}

/// The tokens of the forge and of the deployment service.
const FORGE_TOKEN: &str = "gt-nvim";
const DEPLOY_TOKEN: &str = "1|nvim";

/// The same, in a workspace whose work can be pushed to a new forge and deployed.
fn delivering() -> Script {
    static FORGES: AtomicUsize = AtomicUsize::new(0);
    let number = FORGES.fetch_add(1, Ordering::Relaxed);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("nvim-forge-{number}"));
    if root.exists() {
        fs::remove_dir_all(&root).expect("what an earlier test left can be removed");
    }
    Script {
        gitea: Some(Gitea { root, login: "ada".to_owned(), token: FORGE_TOKEN.to_owned() }),
        routes: Route::coolify(DEPLOY_TOKEN, "visitors1", "ada/visitors"),
        ..nav_and_top()
    }
}

macro_rules! mechanics {
    ($($name:ident: $editor:expr;)*) => {$(
        #[test]
        fn $name() {
            $editor.run(stringify!($name), "mechanics.lua", None, None);
        }
    )*};
}

mechanics! {
    the_plugin_by_itself_in_the_oldest_neovim: OLD;
    the_plugin_by_itself_in_the_newest_neovim: NEW;
}

/// A scenario of `real.lua` in both Neovims, and what the model answers in it.
macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident, $scenario:literal: $script:expr;)*) => {
        mod oldest {
            use super::*;
            $($(#[$doc])* #[test]
            fn $name() {
                let model = Simulator::start($script);
                OLD.run(concat!("oldest::", stringify!($name)), "real.lua", Some($scenario), Some(&model));
            })*
        }
        mod newest {
            use super::*;
            $($(#[$doc])* #[test]
            fn $name() {
                let model = Simulator::start($script);
                NEW.run(concat!("newest::", stringify!($name)), "real.lua", Some($scenario), Some(&model));
            })*
        }
    };
}

scenarios! {
    lines_are_selected_asked_about_edited_and_undone_in_one_step, "edit": Script::always(Reply::text(hero()));
    what_was_not_saved_before_is_not_saved, "unsaved": Script::always(Reply::text(hero()));
    a_part_of_a_line_is_edited_in_its_place, "part of a line":
        Script::always(in_place(|_| "made with love".into()));
    typing_goes_on_in_insert_mode_while_the_edit_arrives, "insert mode": held();
    an_edit_follows_its_lines_when_text_is_typed_above, "typing above": held();
    lines_that_the_user_changes_are_read_again, "typing inside": Script::new([
        Rule::asked("! {title}", Reply::text(answer("Hero", PATH, &HERO.replace("\"…\"", "\"! …\"")))),
        Rule::always(Reply::text(hero()).stall(half())),
    ]);
    a_stale_edit_that_neovim_calls_applied_is_noticed, "stale, plain": Script::always(Reply::text(hero()));
    a_stale_edit_is_refused_by_the_plugin_and_made_anew, "stale, careful": Script::always(Reply::text(hero()));
    cancelling_in_the_middle_changes_nothing, "cancel": held();
    a_cut_answer_is_continued_and_applied_whole, "truncated": Script::first_then(
        Reply::text(hero()).cut(half(), Ending::LengthStop),
        Reply::continuing(hero(), Manner::Exact),
    );
    an_answer_that_stays_cut_changes_nothing_and_says_so, "given up": Script::first_then(
        Reply::text(hero()).cut(half(), Ending::LengthStop),
        Reply::text("I do not know where I was.").cut(Place::FromEnd(0), Ending::LengthStop),
    );
    a_code_action_asks_for_words_and_edits, "code action": Script::always(Reply::text(hero()));
    a_diagnostic_is_fixed, "fix a diagnostic":
        Script::always(in_place(|_| "  return <h1 onClick={() => alert(title)}>{title}</h1>;\n".into()));
    an_explanation_appears_beside_the_code, "explain": Script::always(Reply::text(EXPLANATION));
    a_new_file_is_made_after_a_yes_and_undone, "new file": new_file();
    a_plan_is_changed_in_words_confirmed_carried_out_and_reported, "plan": nav_and_top();
    some_steps_of_a_plan_are_confirmed, "some steps": only_nav();
    what_is_ticked_on_a_plan_is_committed_pushed_and_deployed, "delivery": delivering();
    a_database_that_came_with_the_folder_is_taken_over_after_a_yes, "adopt": Script::default();
    a_question_that_is_put_away_waits, "question put away": new_file();
    undo_takes_a_run_back_and_keeps_later_typing, "undo command": Script::always(Reply::text(hero()));
    two_runs_on_one_file_do_not_mix, "two runs": Script::new([
        Rule::asked("say it warmer", warm().stall(Place::After("made".into()))),
        Rule::asked("make the title open", Reply::text(hero()).stall(half())),
    ]);
    a_buffer_without_a_name_is_edited, "without a name": Script::always(in_place(|_| HERO.into()));
    quitting_neovim_pauses_the_run_and_the_next_goes_on, "quit": Script::new([
        Rule::always(Reply::text(hero()).delta_chars(40).stall(half())).times(1),
        // what was kept is continued; where nothing was kept yet the model is asked anew
        Rule::asked("cut off", Reply::continuing(hero(), Manner::Exact)),
        Rule::always(Reply::text(hero())),
    ]);
    what_rests_is_offered_in_a_corner_and_goes_on, "reopened": rests();
    a_run_is_paused_told_something_and_resumed, "steering": rests();
    a_run_of_a_terminal_is_followed_and_its_plan_confirmed, "follow": nav_and_top();
    without_the_plugin_what_rests_is_told_and_holds_up_nothing, "plain, reopened": rests();
    without_the_plugin_the_server_edits_too, "plain": Script::always(Reply::text(hero()));
    checkhealth_says_that_all_is_well, "health": Script::always(Reply::text(hero()));
    runs_are_listed_with_what_happened, "sessions and log": Script::always(Reply::text(hero()));
}

mod without_a_model {
    use super::*;

    #[test]
    fn the_oldest_neovim_says_what_to_do() {
        OLD.run("without_a_model::the_oldest_neovim_says_what_to_do", "real.lua", Some("no model"), None);
    }

    #[test]
    fn the_newest_neovim_says_what_to_do() {
        NEW.run("without_a_model::the_newest_neovim_says_what_to_do", "real.lua", Some("no model"), None);
    }
}
