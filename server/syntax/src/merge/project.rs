//! What names of modules mean around a file, and how the file writes them.
//!
//! Names only: whether a file is there is not asked. A relative path and an alias are compared by where they lead; a package
//! is only equal to itself.

use assist_base::DocPath;

use super::imports::Import;

/// What is known of the project that a file belongs to. Nothing, by default: then modules are compared by their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Project {
    /// The file, relative to the workspace.
    pub path: Option<DocPath>,
    /// The aliases of its `tsconfig.json` or `jsconfig.json`.
    pub aliases: Vec<Alias>,
    /// The folder that bare names are looked for in (`baseUrl`), relative to the workspace; empty for the workspace itself.
    pub base: Option<String>,
}

/// One entry of `paths`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// What an import begins with, `*` standing for the rest: `@/*`.
    pub pattern: String,
    /// Where that leads, relative to the workspace, `*` standing for the same rest: `src/*`.
    pub target: String,
}

/// Endings of code, which an import may leave out. The longer ones come first.
const ENDINGS: [&str; 9] = [".d.ts", ".tsx", ".jsx", ".mts", ".cts", ".mjs", ".cjs", ".ts", ".js"];

/// How an import names a module of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `./x`
    Beside,
    /// `../x`
    Above,
    /// `@/x`
    Alias,
    /// `lib/x`, from the base folder
    Base,
}

impl Alias {
    /// What `*` stands for.
    fn rest<'s>(pattern: &str, text: &'s str) -> Option<&'s str> {
        match pattern.split_once('*') {
            Some((head, tail)) => text.strip_prefix(head)?.strip_suffix(tail),
            None => (pattern == text).then_some(""),
        }
    }
}

impl Project {
    /// The file that a module's name leads to, without its ending; `None` for a package, and for what is not known.
    pub(super) fn resolve(&self, source: &str) -> Option<String> {
        self.lead(source).map(|(_, path)| path)
    }

    fn lead(&self, source: &str) -> Option<(Way, String)> {
        let source = source.split(['?', '#']).next().unwrap_or(source);
        if source == "." || source == ".." || source.starts_with("./") || source.starts_with("../") {
            let folder = self.folder()?;
            let way = if source.starts_with("..") { Way::Above } else { Way::Beside };
            return Some((way, module(&format!("{folder}/{source}"))?));
        }
        if let Some(target) = self.aliased(source).first() {
            return Some((Way::Alias, module(target)?));
        }
        let base = self.base.as_ref()?;
        // A bare name is a package's, until somebody looks at the disk; one with a scope is in any case.
        let bare = !source.contains('/') || source.starts_with('@');
        if bare { None } else { Some((Way::Base, module(&format!("{base}/{source}"))?)) }
    }

    /// Where an alias leads from a module's name, relative to the workspace and with the ending that was written; the
    /// likeliest place first. None where no alias fits.
    pub fn aliased(&self, source: &str) -> Vec<String> {
        // The pattern with the longest beginning counts.
        let head = |alias: &Alias| alias.pattern.split('*').next().map_or(0, str::len);
        let fits = |alias: &&Alias| Alias::rest(&alias.pattern, source).is_some();
        let Some(longest) = self.own().filter(fits).map(head).max() else { return Vec::new() };
        let leads = |alias: &Alias| {
            Alias::rest(&alias.pattern, source).map(|rest| alias.target.replacen('*', rest, 1))
        };
        self.own().filter(|alias| head(alias) == longest).filter_map(leads).collect()
    }

    /// The aliases that count: one that begins with `*` would take every package for a part of the project.
    fn own(&self) -> impl Iterator<Item = &Alias> {
        self.aliases.iter().filter(|alias| !alias.pattern.is_empty() && !alias.pattern.starts_with('*'))
    }

    fn folder(&self) -> Option<&str> {
        let path = self.path.as_ref()?.as_str();
        Some(path.rsplit_once('/').map_or("", |(folder, _)| folder))
    }

    /// Whether two names stand for the same module. Where that cannot be known, their last parts decide.
    pub(super) fn same(&self, ours: &str, theirs: &str) -> bool {
        match (self.resolve(ours), self.resolve(theirs)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => ours == theirs || last_segment(ours) == last_segment(theirs),
        }
    }

    /// A module's name as the file would write it: by alias where its neighbours do, with an ending where they have one.
    pub(super) fn spelled(&self, source: &str, known: &[Import]) -> String {
        let Some((way, target)) = self.lead(source) else { return self.with_ending(source, known) };
        if let Some(import) = known.iter().find(|one| self.resolve(&one.source).as_ref() == Some(&target)) {
            return import.source.clone();
        }
        let count = |wanted: Way| {
            let is = |one: &&Import| self.lead(&one.source).is_some_and(|(way, _)| way == wanted);
            known.iter().filter(is).count()
        };
        let (above, alias, base) = (count(Way::Above), count(Way::Alias), count(Way::Base));
        let spelled = match way {
            Way::Above if alias > 0 && above == 0 => self.by_alias(&target),
            Way::Above if base > 0 && above == 0 => self.by_base(&target),
            Way::Beside if alias > 0 && count(Way::Beside) == 0 && self.has_alias_beside(known) => {
                self.by_alias(&target)
            }
            Way::Alias | Way::Base if alias == 0 && base == 0 && above > 0 => self.by_path(&target),
            _ => None,
        };
        // The ending that was written belongs to the file: it is kept, or the neighbours decide.
        let spelled = spelled.map(|spelled| format!("{spelled}{}", ending(source).unwrap_or_default()));
        self.with_ending(spelled.as_deref().unwrap_or(source), known)
    }

    /// Whether the file names one of its own folder by an alias.
    fn has_alias_beside(&self, known: &[Import]) -> bool {
        let Some(folder) = self.folder() else { return false };
        known.iter().any(|one| {
            self.lead(&one.source).is_some_and(|(way, path)| {
                way == Way::Alias && path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder
            })
        })
    }

    /// The name of a path, relative to the workspace, by an alias that leads there.
    pub fn by_alias(&self, target: &str) -> Option<String> {
        let covers =
            |alias: &&Alias| alias.pattern.contains('*') && Alias::rest(&alias.target, target).is_some();
        let alias = self.own().filter(covers).max_by_key(|alias| alias.target.len())?;
        Some(alias.pattern.replacen('*', Alias::rest(&alias.target, target)?, 1))
    }

    fn by_base(&self, target: &str) -> Option<String> {
        let base = self.base.as_ref()?;
        let rest = if base.is_empty() { target } else { target.strip_prefix(base)?.strip_prefix('/')? };
        Some(rest.to_owned())
    }

    fn by_path(&self, target: &str) -> Option<String> {
        let folder: Vec<&str> = self.folder()?.split('/').filter(|part| !part.is_empty()).collect();
        let parts: Vec<&str> = target.split('/').collect();
        let shared = folder.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        let up = "../".repeat(folder.len() - shared);
        let up = if up.is_empty() { "./" } else { &up };
        Some(format!("{up}{}", parts.get(shared..)?.join("/")))
    }

    /// The name with the ending that the file's own imports of the project have, or without, if they have none.
    fn with_ending(&self, source: &str, known: &[Import]) -> String {
        let local = |source: &str| source.starts_with('.') || self.resolve(source).is_some();
        if !local(source) || has_other_ending(source) {
            return source.to_owned();
        }
        let neighbours: Vec<Option<&str>> = known
            .iter()
            .filter(|one| local(&one.source) && !has_other_ending(&one.source))
            .map(|one| ending(&one.source))
            .collect();
        let bare = ending(source).map_or(source, |ending| source.strip_suffix(ending).unwrap_or(source));
        match neighbours.as_slice() {
            [] => source.to_owned(),
            [first, rest @ ..] if rest.iter().all(|other| other == first) => match (first, ending(source)) {
                (Some(_), Some(_)) | (None, None) => source.to_owned(),
                (Some(first), None) if !matches!(source.rsplit('/').next(), Some("." | ".." | "")) => {
                    format!("{bare}{first}")
                }
                (Some(_), None) => source.to_owned(),
                (None, Some(_)) => bare.to_owned(),
            },
            _ => source.to_owned(),
        }
    }
}

/// The path a name leads to, without `..`, without an ending and without `index`. `None` outside the workspace.
fn module(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    let bare = ending(&path).and_then(|ending| path.strip_suffix(ending)).unwrap_or(&path);
    let bare = bare.strip_suffix("/index").unwrap_or(bare);
    Some(bare.to_owned())
}

fn ending(source: &str) -> Option<&'static str> {
    ENDINGS.into_iter().find(|ending| source.ends_with(ending))
}

/// A style sheet, a picture, data: what is named in full.
fn has_other_ending(source: &str) -> bool {
    let file = source.rsplit('/').next().unwrap_or(source);
    ending(source).is_none()
        && file.rsplit_once('.').is_some_and(|(stem, ending)| {
            let known = [
                "css", "scss", "sass", "less", "json", "svg", "png", "vue", "svelte", "md", "mdx", "html",
                "wasm",
            ];
            !stem.trim_matches('.').is_empty() && known.contains(&ending)
        })
}

pub(super) fn last_segment(source: &str) -> &str {
    let last = source.rsplit(['/', '\\']).next().unwrap_or(source);
    last.split_once('.').map_or(last, |(stem, _)| if stem.is_empty() { last } else { stem })
}
