//! The file-tree map that the ARCHITECT stage returns: which components, where, in which order.
//!
//! [`read`] takes whatever a model wrote and answers with a plan or with every reason against it, in sentences that the
//! model can act on. A plan is in an order in which it can be built: skeletons first, then every component behind those it
//! depends on. A skeleton does not wait for its components: it is there before them and takes them in one by one.

mod json;

use std::collections::{BTreeMap, BTreeSet};

use assist_base::DocPath;
use assist_syntax::Language;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many lines a component may have.
pub(crate) const MAX_LINES: usize = 150;
/// How many components a plan may have.
const MAX_COMPONENTS: usize = 60;
/// How many reasons are told at once.
const MAX_REASONS: usize = 20;
/// How long a name may be, in characters.
const MAX_NAME: usize = 80;

/// How hard a component is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Complexity {
    Low,
    Medium,
    High,
}

impl Complexity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// As models are chosen by.
    pub(crate) fn of_task(self) -> assist_gateway::Complexity {
        match self {
            Self::Low => assist_gateway::Complexity::Simple,
            Self::Medium => assist_gateway::Complexity::Moderate,
            Self::High => assist_gateway::Complexity::Complex,
        }
    }
}

/// One component of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Unique in the plan.
    pub(crate) name: String,
    pub(crate) path: DocPath,
    /// The model's word; `skeleton` and `entry` mean something, see [`Part::is_skeleton`].
    pub(crate) kind: String,
    pub(crate) complexity: Complexity,
    /// How many it will have, as the model thinks.
    pub(crate) lines: usize,
    pub(crate) exports: Vec<String>,
    /// Names of other components of the plan.
    pub(crate) dependencies: Vec<String>,
    /// How often it has been split off something that was too long.
    #[serde(default)]
    pub(crate) splits: u8,
}

impl Part {
    /// Whether it is built first and takes in the components it depends on as they arrive. Only languages whose imports
    /// Assist can add have skeletons; elsewhere such a file comes last, as any other that needs the rest.
    pub(crate) fn is_skeleton(&self) -> bool {
        let language = Language::of_path(&self.path);
        matches!(self.kind.as_str(), "skeleton" | "entry")
            && language.is_some_and(|language| language.is_ecma() || language == Language::Python)
    }

    /// The components that must be in place before this one is begun.
    pub(crate) fn waits_for(&self) -> &[String] {
        if self.is_skeleton() { &[] } else { &self.dependencies }
    }
}

/// A plan that can be built in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) components: Vec<Part>,
}

impl Plan {
    pub(crate) fn part(&self, name: &str) -> Option<&Part> {
        self.components.iter().find(|part| part.name == name)
    }

    /// The plan in plain words.
    pub(crate) fn in_words(&self) -> String {
        let count = self.components.len();
        let mut text =
            format!("The plan: {count} {}.\n\n", if count == 1 { "component" } else { "components" });
        for (at, part) in self.components.iter().enumerate() {
            let lines = if part.lines == 1 { "line" } else { "lines" };
            text.push_str(&format!(
                "{}. {} in {} ({}, {}, about {} {lines})",
                at + 1,
                part.name,
                part.path,
                part.kind,
                part.complexity.as_str(),
                part.lines
            ));
            if !part.dependencies.is_empty() {
                let how = if part.is_skeleton() { "takes in" } else { "needs" };
                text.push_str(&format!(": {how} {}", part.dependencies.join(", ")));
            }
            text.push('\n');
        }
        text
    }

    /// The plan with `name` replaced by what the architect made of it.
    ///
    /// # Errors
    /// What is wrong with the result. One of the parts must keep the name, the path and the exports, so that whoever needs
    /// them finds them.
    pub(crate) fn split(&self, name: &str, into: Vec<Part>) -> Result<Plan, Vec<String>> {
        let Some(old) = self.part(name) else { return Err(vec![format!("There is no `{name}` to split.")]) };
        let mut reasons = Vec::new();
        match into.iter().find(|part| part.name == old.name) {
            None => reasons.push(format!(
                "One of the components must keep the name `{name}`; the others are what it uses."
            )),
            Some(kept) => {
                if kept.path != old.path {
                    reasons.push(format!("`{name}` must keep its path {}.", old.path));
                }
                for export in old.exports.iter().filter(|export| !kept.exports.contains(export)) {
                    reasons.push(format!("`{name}` must go on exporting `{export}`."));
                }
            }
        }
        if into.len() < 2 {
            reasons.push(format!("`{name}` is to be split into at least two components."));
        }
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let mut components = Vec::new();
        for part in &self.components {
            if part.name == name {
                let splits = old.splits.saturating_add(1);
                components.extend(into.iter().cloned().map(|part| Part { splits, ..part }));
            } else {
                components.push(part.clone());
            }
        }
        arrange(components, &[])
    }
}

/// JSON as people write it into configuration files: with comments and trailing commas.
///
/// # Errors
/// When it is no JSON even so.
pub(crate) fn relaxed_json(text: &str) -> Result<Value, serde_json::Error> {
    json::lenient(text)
}

/// Reads a plan out of a model's answer.
///
/// # Errors
/// Everything that is wrong with it, each in a sentence.
pub(crate) fn read(text: &str) -> Result<Plan, Vec<String>> {
    let (components, order) = parts(text)?;
    arrange(components, &order)
}

/// Reads the components of an answer that is only a part of a plan: their dependencies may lie outside it.
///
/// # Errors
/// As [`read`].
pub(crate) fn parts(text: &str) -> Result<(Vec<Part>, Vec<String>), Vec<String>> {
    let value = json::read(text).map_err(|reason| vec![reason])?;
    // Some models wrap it, as the seed of this format did.
    let plan = value.get("plan").filter(|plan| plan.is_object()).unwrap_or(&value);
    let Some(list) = plan.get("components").and_then(Value::as_array) else {
        return Err(vec!["There is no list `components`.".to_owned()]);
    };
    if list.is_empty() {
        return Err(vec!["The list `components` is empty.".to_owned()]);
    }
    if list.len() > MAX_COMPONENTS {
        return Err(vec![format!("There are {} components; plan at most {MAX_COMPONENTS}.", list.len())]);
    }
    let mut reasons = Vec::new();
    let components = list.iter().enumerate().filter_map(|(at, one)| part(one, at, &mut reasons)).collect();
    if !reasons.is_empty() {
        reasons.truncate(MAX_REASONS);
        return Err(reasons);
    }
    let order = plan.get("order").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok((components, order.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
}

/// One component. What is wrong with it is added to `reasons`.
fn part(value: &Value, at: usize, reasons: &mut Vec<String>) -> Option<Part> {
    let before = reasons.len();
    let name = value["name"].as_str().map(str::trim).unwrap_or_default().to_owned();
    let called = if name.is_empty() { format!("Component {}", at + 1) } else { format!("`{name}`") };
    if !is_name(&name) {
        reasons.push(format!(
            "{called} needs a name of letters, digits, `_`, `$`, `-` and `.`, at most {MAX_NAME} characters."
        ));
    }
    let path = match value["path"].as_str().map(DocPath::relative) {
        Some(Ok(path)) if path.as_str().split('/').any(is_private) => {
            reasons.push(format!("{called}: {path} belongs to git or to Assist and cannot be written."));
            None
        }
        Some(Ok(path)) if value["path"].as_str().is_some_and(|path| path.ends_with(['/', '\\'])) => {
            reasons.push(format!("{called}: {path} is a folder; name the file."));
            None
        }
        Some(Ok(path)) => Some(path),
        Some(Err(error)) => {
            reasons.push(format!("{called}: its path cannot be used: {error}."));
            None
        }
        None => {
            reasons.push(format!("{called} needs a `path`."));
            None
        }
    };
    let complexity = match value["complexity"].as_str().map(str::to_lowercase).as_deref() {
        Some("low") => Some(Complexity::Low),
        Some("medium") => Some(Complexity::Medium),
        Some("high") => Some(Complexity::High),
        _ => {
            reasons.push(format!("{called}: `complexity` must be \"low\", \"medium\" or \"high\"."));
            None
        }
    };
    let lines = value["lines"].as_u64().or_else(|| value["lines"].as_str()?.trim().parse().ok());
    match lines {
        Some(lines) if lines > MAX_LINES as u64 => reasons.push(format!(
            "{called} would have {lines} lines; split it into components of at most {MAX_LINES}."
        )),
        Some(lines) if lines > 0 => {}
        _ => reasons.push(format!("{called}: `lines` must be a number from 1 to {MAX_LINES}.")),
    }
    let mut names = |key: &str| -> Vec<String> {
        let list = match &value[key] {
            Value::Null => return Vec::new(),
            Value::Array(list) => list,
            _ => {
                reasons.push(format!("{called}: `{key}` must be a list of names."));
                return Vec::new();
            }
        };
        let mut found: Vec<String> = Vec::new();
        for one in list {
            match one.as_str().map(str::trim).filter(|name| is_name(name)) {
                Some(name) if found.iter().any(|known| known == name) => {}
                Some(name) => found.push(name.to_owned()),
                None => reasons.push(format!("{called}: `{key}` holds {one}, which is no name.")),
            }
        }
        found
    };
    let (exports, dependencies) = (names("exports"), names("dependencies"));
    let kind = value["kind"].as_str().map(|kind| kind.trim().to_lowercase()).unwrap_or_default();
    let kind = if is_name(&kind) { kind } else { "component".to_owned() };
    if reasons.len() > before {
        return None;
    }
    let lines = lines.and_then(|lines| usize::try_from(lines).ok())?;
    Some(Part { name, path: path?, kind, complexity: complexity?, lines, exports, dependencies, splits: 0 })
}

/// Names go into marker lines and prompts: nothing in them may be taken for something else.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.');
    !name.is_empty() && name.chars().count() <= MAX_NAME && name.chars().all(fits)
}

fn is_private(segment: &str) -> bool {
    // Windows ignores trailing dots and blanks in names.
    let segment = segment.trim_end_matches(['.', ' ']);
    segment.eq_ignore_ascii_case(".git") || segment.eq_ignore_ascii_case(".assist")
}

/// Checks components against each other and puts them in an order in which they can be built, as near as possible to
/// `wish`.
fn arrange(components: Vec<Part>, wish: &[String]) -> Result<Plan, Vec<String>> {
    let mut reasons = Vec::new();
    let mut names = BTreeSet::new();
    let mut spelled: BTreeMap<String, &DocPath> = BTreeMap::new();
    for part in &components {
        if !names.insert(part.name.as_str()) {
            reasons.push(format!("The name `{}` is there twice.", part.name));
        }
        let known = spelled.entry(part.path.as_str().to_lowercase()).or_insert(&part.path);
        if **known != part.path {
            reasons.push(format!("{known} and {} differ only in their case.", part.path));
        }
    }
    for part in &components {
        for name in &part.dependencies {
            if !names.contains(name.as_str()) {
                reasons.push(format!("`{}` depends on `{name}`, which is not in the plan.", part.name));
            }
        }
        let shared = components.iter().filter(|other| other.path == part.path).count() > 1;
        if part.is_skeleton() && shared {
            reasons.push(format!("{} is a skeleton and must hold `{}` alone.", part.path, part.name));
        }
    }
    if reasons.is_empty()
        && let Some(circle) = circle(&components)
    {
        reasons.push(format!("Components depend on each other in a circle: {}.", circle.join(" → ")));
    }
    if !reasons.is_empty() {
        reasons.truncate(MAX_REASONS);
        return Err(reasons);
    }
    let place = |part: &Part| {
        let wished = wish.iter().position(|name| *name == part.name).unwrap_or(usize::MAX);
        (!part.is_skeleton(), wished)
    };
    let mut left = components;
    left.sort_by_key(place);
    let mut ordered: Vec<Part> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let done: BTreeSet<&str> = ordered.iter().map(|part| part.name.as_str()).collect();
        // There is always one: circles were refused.
        let next = left
            .iter()
            .position(|part| part.waits_for().iter().all(|name| done.contains(name.as_str())))
            .unwrap_or(0);
        ordered.push(left.remove(next));
    }
    Ok(Plan { components: ordered })
}

/// A circle of dependencies, its first name again at the end.
fn circle(components: &[Part]) -> Option<Vec<String>> {
    let by_name: BTreeMap<&str, &Part> = components.iter().map(|part| (part.name.as_str(), part)).collect();
    let mut finished: BTreeSet<&str> = BTreeSet::new();
    for start in components {
        // Depth first, with a path of its own instead of the stack: (name, next dependency to look at).
        let mut path: Vec<(&str, usize)> = vec![(start.name.as_str(), 0)];
        while let Some((name, next)) = path.last_mut() {
            let name: &str = name;
            let dependency = by_name.get(name).and_then(|part| part.dependencies.get(*next));
            *next += 1;
            let Some(dependency) = dependency else {
                finished.insert(name);
                path.pop();
                continue;
            };
            if let Some(from) = path.iter().position(|(known, _)| known == dependency) {
                let mut circle: Vec<String> =
                    path[from..].iter().map(|(name, _)| (*name).to_owned()).collect();
                circle.push(dependency.clone());
                return Some(circle);
            }
            if !finished.contains(dependency.as_str()) {
                path.push((dependency.as_str(), 0));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
