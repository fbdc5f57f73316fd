//! The LINTER stage: what the gate cannot know of a component, because it needs the plan and the other files. The gate has
//! found it well formed, with the exports that the plan promises; here its imports must lead to files that are there, and a
//! skeleton must have its slots. What is wrong goes back to the model word for word.

use assist_base::DocPath;
use assist_syntax::{Exports, Language, Project};

use crate::host::HostError;
use crate::pipeline::assembly::{self, Skeleton, Unfit};
use crate::pipeline::modules;
use crate::pipeline::plan::Part;
use crate::pipeline::site::Site;
use crate::run::Run;

/// What is wrong with `part`, which would turn the file's text from `before` into `after`. Nothing for a component that may
/// be applied.
pub(crate) async fn check(
    run: &Run,
    site: &Site,
    part: &Part,
    before: &str,
    after: &str,
) -> Result<Vec<String>, HostError> {
    let Some(language) = Language::of_path(&part.path) else { return Ok(Vec::new()) };
    let project = modules::project(run, Some(site), &part.path).await;
    let mut reasons = imports(run, site, part, &project, language, before, after).await?;
    if part.is_skeleton() {
        reasons.extend(slots(site, part, &project, language, after));
    }
    Ok(reasons)
}

/// Imports that lead nowhere. Those that the file had before are not the component's fault.
async fn imports(
    run: &Run,
    site: &Site,
    part: &Part,
    project: &Project,
    language: Language,
    before: &str,
    after: &str,
) -> Result<Vec<String>, HostError> {
    let plan = site.plan();
    let known = assist_syntax::sources(before, language);
    let mut reasons = Vec::new();
    for source in assist_syntax::sources(after, language) {
        if known.iter().any(|old| old.module == source.module) {
            continue;
        }
        let candidates = modules::candidates(&part.path, &source.module, language, project);
        let planned = plan.components.iter().find(|other| candidates.contains(&other.path));
        // What a skeleton takes in is imported when it takes its slot, whether it is there already or not.
        let too_early = part.is_skeleton() && planned.is_some_and(|other| other.path != part.path);
        if !too_early && (candidates.is_empty() || any_exists(run, site, part, &candidates).await) {
            continue;
        }
        let module = &source.module;
        reasons.push(match planned {
            Some(other) if part.is_skeleton() => format!(
                "line {}: It imports `{module}`. Leave that import out: Assist adds it when {} is there and takes its slot.",
                source.line, other.name
            ),
            Some(other) => format!(
                "line {}: It imports `{module}`, but {} is not among its dependencies and is not there yet; {}.",
                source.line,
                other.name,
                match part.dependencies.as_slice() {
                    [] => "it has none".to_owned(),
                    names => format!("it may use {}", names.join(", ")),
                }
            ),
            None => format!("line {}: It imports `{module}`, and there is no such file.", source.line),
        });
    }
    Ok(reasons)
}

async fn any_exists(run: &Run, site: &Site, part: &Part, candidates: &[DocPath]) -> bool {
    for path in candidates {
        // What is there but is no text, such as a picture, is there all the same.
        let found = *path == part.path || !matches!(site.read(run, path).await, Ok(None));
        if found {
            return true;
        }
    }
    false
}

/// Slots that are missing, there twice or of nobody, and those that would not take their component.
fn slots(site: &Site, part: &Part, project: &Project, language: Language, after: &str) -> Vec<String> {
    let plan = site.plan();
    let found = assembly::slots(after);
    let mut reasons = Vec::new();
    for slot in &found {
        if !part.dependencies.contains(&slot.name) {
            reasons
                .push(format!("There is a slot for `{}`, which is not among its dependencies.", slot.name));
        }
    }
    let mut text = after.to_owned();
    for name in &part.dependencies {
        let Some(other) = plan.part(name) else { continue };
        if !found.iter().any(|slot| slot.name == *name) {
            reasons.push(format!(
                "There is no slot for `{name}`: one comment with `assist:slot {name}` is needed."
            ));
            continue;
        }
        let exports = Exports { names: other.exports.clone(), open: false };
        let skeleton = Skeleton { path: &part.path, text: &text, language, project };
        match assembly::fill(&skeleton, other, &exports) {
            Ok((_, filled)) => text = filled,
            Err(Unfit::Wrong(why)) => reasons.push(format!("The slot of `{name}` cannot be filled: {why}.")),
            Err(Unfit::NoSlot) => {}
        }
    }
    reasons
}
