//! The map of the repository: which files there are, and what the ones that matter declare, within a budget of tokens.
//!
//! Files are ranked by what the request mentions, what is open, what was changed lately, and what other files import. Only
//! the first of that order are parsed. What was read of a file is kept while its size and time stay the same, so a second
//! map costs a walk and a look at each file's time; `kept` has it outlive the process. Blocks: for blocking threads.

mod kept;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use assist_base::DocPath;
use assist_gateway::estimate_tokens;
use assist_runtime::{ListedFile, Workspace, looks_secret};
use assist_syntax::Language;

use super::history::{History, Recent};
use crate::run::lock;

/// More files than this are not looked at.
pub(crate) const MOST_FILES: usize = 20_000;
/// A larger file is named only.
const MOST_BYTES: u64 = 256 * 1024;
/// So many files are parsed for one map at most.
const MOST_PARSED: usize = 150;
/// And so many names shown of each.
const MOST_NAMES: usize = 24;
/// What a file imports is counted up to here.
const MOST_IMPORTS: usize = 200;
/// How long what was read is not kept again for the next process.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// What was read of the files of one workspace.
#[derive(Default)]
pub struct Cache {
    files: Mutex<HashMap<DocPath, Arc<Known>>>,
    history: History,
    /// Set once what an earlier process kept has been read.
    begun: OnceLock<()>,
    /// Whether more is known than was kept.
    has_more: AtomicBool,
    /// When it was kept last.
    kept: Mutex<Option<Instant>>,
}

/// What was read of one file.
struct Known {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Whether a later change would have another time for certain.
    is_settled: bool,
    /// The last parts of what it imports, as far as that can be told without parsing.
    imports: Vec<String>,
    /// What it declares, once someone asked.
    names: OnceLock<Vec<String>>,
}

/// What the map is drawn for.
pub struct Wish {
    /// The request.
    pub words: String,
    /// What is open in the editor.
    pub open: HashSet<DocPath>,
    /// How many tokens it may take.
    pub tokens: u64,
}

/// The map.
pub struct Map {
    /// One file a line, with what it declares.
    pub text: String,
    /// How many files there are.
    pub files: usize,
    /// Whether there are more than were looked at.
    pub more: bool,
    /// What was committed lately.
    pub(crate) recent: Arc<Recent>,
}

impl Cache {
    /// Draws the map of a workspace: always of the same one.
    pub fn draw(&self, workspace: &Workspace, wish: &Wish) -> Map {
        self.begun.get_or_init(|| *lock(&self.files) = kept::read(workspace));
        let walked = workspace.walk(MOST_FILES);
        let known: Vec<(&ListedFile, Option<Arc<Known>>)> =
            walked.files.iter().map(|file| (file, self.look(workspace, file))).collect();
        let present: HashSet<&DocPath> = walked.files.iter().map(|file| &file.path).collect();
        lock(&self.files).retain(|path, _| present.contains(path));

        let mut imported: HashMap<&str, u32> = HashMap::new();
        for import in known.iter().filter_map(|(_, known)| known.as_deref()).flat_map(|known| &known.imports)
        {
            *imported.entry(import).or_default() += 1;
        }
        let words = mentioned(&wish.words);
        let recent = self.history.look(workspace);
        let mut ranked: Vec<(i64, &ListedFile, Option<&Arc<Known>>)> = known
            .iter()
            .map(|(file, known)| {
                (score(file, wish, &words, &imported) + recent.count(&file.path), *file, known.as_ref())
            })
            .collect();
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.path.cmp(&b.1.path)));
        let text = self.write(workspace, &ranked, wish.tokens);
        self.keep(workspace);
        Map { text, files: walked.files.len(), more: walked.more, recent }
    }

    /// Keeps what is known for the next process, if there is more and it is time.
    fn keep(&self, workspace: &Workspace) {
        // Who draws a map at the same time need not wait for it.
        let Ok(mut kept) = self.kept.try_lock() else { return };
        let is_time = kept.is_none_or(|at| at.elapsed() >= KEPT_FOR);
        if is_time && self.has_more.swap(false, Ordering::Relaxed) {
            *kept = Some(Instant::now());
            let known = lock(&self.files).clone();
            kept::write(workspace, &known);
        }
    }

    /// What is known of a source file; read when it is new or has changed.
    fn look(&self, workspace: &Workspace, file: &ListedFile) -> Option<Arc<Known>> {
        Language::of_path(&file.path)?;
        if file.bytes > MOST_BYTES || looks_secret(&file.path) {
            return None;
        }
        let same = |known: &&Arc<Known>| known.bytes == file.bytes && known.modified == file.modified;
        if let Some(known) = lock(&self.files).get(&file.path).filter(same) {
            return Some(Arc::clone(known));
        }
        let text = workspace.read(&file.path).ok()?.text;
        let known = Arc::new(Known {
            bytes: file.bytes,
            modified: file.modified,
            is_settled: kept::is_settled(file.modified),
            imports: imports(&text),
            names: OnceLock::new(),
        });
        self.has_more.store(true, Ordering::Relaxed);
        lock(&self.files).insert(file.path.clone(), Arc::clone(&known));
        Some(known)
    }

    /// The files in their order until the tokens are used up; those that do not matter enough are counted by folder.
    fn write(
        &self,
        workspace: &Workspace,
        ranked: &[(i64, &ListedFile, Option<&Arc<Known>>)],
        tokens: u64,
    ) -> String {
        let mut text = String::new();
        let mut used = 0;
        let mut shown = 0;
        // A quarter is for the folders of what is left.
        let for_files = tokens - tokens / 4;
        for (parsed, (_, file, known)) in ranked.iter().enumerate() {
            let names = match known {
                Some(known) if parsed < MOST_PARSED => {
                    let read = || {
                        self.has_more.store(true, Ordering::Relaxed);
                        names(workspace, &file.path)
                    };
                    known.names.get_or_init(read).join(", ")
                }
                _ => String::new(),
            };
            let line = if names.is_empty() {
                format!("{}\n", file.path)
            } else {
                format!("{}: {names}\n", file.path)
            };
            used += estimate_tokens(&line);
            if used > for_files {
                break;
            }
            text.push_str(&line);
            shown += 1;
        }
        let mut folders: Vec<(String, usize)> = Vec::new();
        let mut rest: Vec<&str> =
            ranked[shown..].iter().map(|(_, file, _)| folder(file.path.as_str())).collect();
        rest.sort_unstable();
        for folder in rest {
            match folders.last_mut() {
                Some((last, count)) if last == folder => *count += 1,
                _ => folders.push((folder.to_owned(), 1)),
            }
        }
        folders.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        for (folder, count) in folders {
            let line = format!("{folder}/ and {count} more\n");
            used += estimate_tokens(&line);
            if used > tokens {
                break;
            }
            text.push_str(&line);
        }
        text
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

fn score(file: &ListedFile, wish: &Wish, words: &HashSet<String>, imported: &HashMap<&str, u32>) -> i64 {
    let path = file.path.as_str();
    let stem = stem(path);
    let mut score = 0;
    if wish.words.contains(path) {
        score += 1_000;
    }
    let parts = path.split(['/', '.', '-', '_']).flat_map(subwords);
    score += 120 * i64::try_from(parts.filter(|part| words.contains(part)).count().min(5)).unwrap_or(0);
    if wish.open.contains(&file.path) {
        score += 300;
    }
    score += 10 * i64::from(imported.get(stem).copied().unwrap_or(0).min(20));
    if Language::of_path(&file.path).is_some() {
        score += 40;
    }
    if ["package.json", "Cargo.toml", "pyproject.toml", "go.mod", "README.md"].contains(&path) {
        score += 200;
    }
    // What lies deep matters less, and so do tests of what is asked about.
    score -= 5 * i64::try_from(path.matches('/').count().min(10)).unwrap_or(0);
    let lower = path.to_lowercase();
    if lower.contains("test")
        || lower.contains("fixture")
        || lower.ends_with(".lock")
        || lower.contains("-lock.")
    {
        score -= 60;
    }
    score
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    match stem {
        "index" | "mod" | "__init__" | "lib" => {
            path.rsplit_once('/').map_or(stem, |(folder, _)| folder.rsplit('/').next().unwrap_or(stem))
        }
        stem => stem,
    }
}

/// The words of a request that may name something: without the little ones, in singular.
fn mentioned(words: &str) -> HashSet<String> {
    let parts = words.split(|c: char| !c.is_alphanumeric()).flat_map(subwords);
    parts.filter(|word| word.len() > 2).collect()
}

/// `CheckoutButtons` as `checkout` and `button`.
fn subwords(word: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut after_small = false;
    for c in word.chars() {
        let begins = c.is_uppercase() && after_small;
        after_small = !c.is_uppercase();
        match parts.last_mut() {
            Some(part) if !begins => part.extend(c.to_lowercase()),
            _ => parts.push(c.to_lowercase().collect()),
        }
    }
    for part in &mut parts {
        if part.len() > 3 && part.ends_with('s') && !part.ends_with("ss") {
            part.pop();
        }
    }
    parts
}

/// What a text imports, by the lines that look like it: the last part of each path, without its ending.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().take(400) {
        let line = line.trim_start();
        let begins =
            ["import ", "from ", "use ", "mod ", "pub mod ", "export ", "} from ", "const ", "@import "]
                .iter()
                .any(|word| line.starts_with(word));
        if !begins {
            continue;
        }
        let quoted = line
            .split(['"', '\''])
            .nth(1)
            .filter(|_| line.contains("from") || line.contains("import") || line.contains("require"));
        let named = quoted.or_else(|| {
            let mut words = line.trim_start_matches("pub ").split_whitespace();
            matches!(words.next(), Some("use" | "mod" | "from" | "import")).then(|| words.next()).flatten()
        });
        let Some(named) = named else { continue };
        for part in named.trim_end_matches(';').split(['/', '.', ':']).filter(|part| part.len() > 1) {
            found.push(part.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found.truncate(MOST_IMPORTS);
    found
}

/// What a file declares at its top, each with its kind.
fn names(workspace: &Workspace, path: &DocPath) -> Vec<String> {
    let (Some(language), Ok(file)) = (Language::of_path(path), workspace.read(path)) else {
        return Vec::new();
    };
    let data = ["json", "css", "html"].contains(&language.name());
    let outline = assist_syntax::outline(&file.text, language);
    let top = outline.iter().filter(|item| item.depth == 0);
    let most = if data { 8 } else { MOST_NAMES };
    top.map(|item| if data { item.name.clone() } else { format!("{} {}", item.kind, item.name) })
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use assist_runtime::Trust;

    fn wish(words: &str, tokens: u64) -> Wish {
        Wish { words: words.to_owned(), open: HashSet::new(), tokens }
    }

    fn write(folder: &std::path::Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn what_the_request_mentions_comes_first_and_shows_its_names() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..40 {
            write(folder.path(), &format!("src/other{n}.ts"), "export const x = 1;\n");
        }
        write(folder.path(), "src/pricing/CheckoutButton.tsx", "export function CheckoutButton() {}\n");
        write(folder.path(), ".env", "KEY=1\n");
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        let cache = Cache::default();
        let map = cache.draw(&workspace, &wish("Why do checkout buttons fail?", 200));
        let first = map.text.lines().next().unwrap();
        assert_eq!(first, "src/pricing/CheckoutButton.tsx: function CheckoutButton");
        assert_eq!(map.files, 42);
        assert!(estimate_tokens(&map.text) <= 220, "{}", map.text);
        assert!(map.text.contains("src/ and "), "{}", map.text);
    }

    #[test]
    fn a_changed_file_is_read_again_and_one_that_is_gone_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.ts", "export const one = 1;\n");
        write(folder.path(), "b.ts", "export const b = 1;\n");
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        let cache = Cache::default();
        assert!(cache.draw(&workspace, &wish("", 500)).text.contains("variable one"));
        write(folder.path(), "a.ts", "export const seventeen = 17;\n");
        std::fs::remove_file(folder.path().join("b.ts")).unwrap();
        let map = cache.draw(&workspace, &wish("", 500));
        assert!(map.text.contains("seventeen") && !map.text.contains("b.ts"), "{}", map.text);
        assert_eq!(lock(&cache.files).len(), 1);
    }

    #[test]
    fn what_is_imported_often_counts_more() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..5 {
            write(folder.path(), &format!("z{n}.ts"), "import { money } from \"./lib/money\";\n");
        }
        write(folder.path(), "lib/alone.ts", "export const alone = 1;\n");
        write(folder.path(), "lib/money.ts", "export const money = 1;\n");
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        let text = Cache::default().draw(&workspace, &wish("", 500)).text;
        assert!(text.find("lib/money").unwrap() < text.find("lib/alone").unwrap(), "{text}");
    }

    #[test]
    fn what_was_committed_lately_counts_more_until_something_newer_was() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
            let mut git = std::process::Command::new("git");
            assert!(
                git.args(identity).args(arguments).current_dir(folder.path()).status().unwrap().success()
            );
        };
        for name in ["a", "b", "c"] {
            write(folder.path(), &format!("{name}.ts"), "export const x = 1;\n");
        }
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        let cache = Cache::default();
        let first = || cache.draw(&workspace, &wish("", 500)).text.lines().next().map(str::to_owned);
        assert_eq!(first().as_deref(), Some("a.ts: variable x"), "without a repository");
        git(&["init", "-q"]);
        for name in ["b", "c"] {
            git(&["add", &format!("{name}.ts")]);
            git(&["commit", "-q", "-m", "More"]);
            assert_eq!(first(), Some(format!("{name}.ts: variable x")));
        }
        assert_eq!(cache.draw(&workspace, &wish("", 500)).recent.lines(1_000).len(), 2);
    }

    #[test]
    fn words_are_split_as_people_write_them() {
        assert_eq!(subwords("CheckoutButtons"), ["checkout", "button"]);
        assert_eq!(subwords("HTTP"), ["http"]);
        assert_eq!(subwords(""), Vec::<String>::new());
    }
}
