//! The stages of a run, and what of them the user turned off.

use serde::Deserialize;

use super::Layer;

/// The stages of a run, as written by a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineOptions {
    /// Whether an answer with code must end with the end mark.
    pub sentinel: Option<bool>,
    /// Whether an answer that broke off is continued.
    pub ghost_fixer: Option<bool>,
    /// Whether components are applied one by one as they arrive.
    pub chunking: Option<bool>,
    /// Whether the project's own checks pass a change in a hidden copy before it is made.
    pub shadow: Option<bool>,
    /// Whether a request to build is planned and built component by component.
    pub full_pipeline: Option<bool>,
    /// How many components are written at once, 1 to 8.
    pub parallel: Option<usize>,
    /// What becomes of a build of which a part is missing at the end.
    pub on_failure: Option<OnFailure>,
}

/// What becomes of a build of which a part is missing at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The user is asked, and the run waits for the answer; where there is nobody to ask, it is kept.
    #[default]
    Ask,
    /// What is whole stays.
    Keep,
    /// All files become what they were, but for what the user changed since.
    Restore,
}

impl std::str::FromStr for OnFailure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ask" => Ok(Self::Ask),
            "keep" => Ok(Self::Keep),
            "restore" => Ok(Self::Restore),
            _ => Err(format!("`{text}` is none of ask, keep and restore")),
        }
    }
}

/// The stages of a run: all on unless the user said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pipeline {
    /// An answer with code must end with the end mark; without it, it is taken as broken off.
    pub sentinel: bool,
    /// An answer that broke off is continued.
    pub ghost_fixer: bool,
    /// Components are applied one by one as they arrive, not all at the end.
    pub chunking: bool,
    /// The project's own checks pass a change in a hidden copy before it is made.
    pub shadow: bool,
    /// A request to build is planned and built component by component, not answered in one call.
    pub full_pipeline: bool,
    /// How many components are written at once.
    pub parallel: usize,
    /// What becomes of a build of which a part is missing at the end.
    pub on_failure: OnFailure,
}

/// How many components are written at once unless the user says otherwise, and at most.
const PARALLEL: (usize, usize) = (3, 8);

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            sentinel: true,
            ghost_fixer: true,
            chunking: true,
            shadow: true,
            full_pipeline: true,
            parallel: PARALLEL.0,
            on_failure: OnFailure::Ask,
        }
    }
}

impl Pipeline {
    pub(super) fn resolve(layers: &[Layer]) -> Self {
        fn first<T>(layers: &[Layer], get: impl Fn(&PipelineOptions) -> Option<T>) -> Option<T> {
            layers.iter().find_map(|layer| get(&layer.options.pipeline))
        }
        let usual = Self::default();
        Self {
            sentinel: first(layers, |o| o.sentinel).unwrap_or(usual.sentinel),
            ghost_fixer: first(layers, |o| o.ghost_fixer).unwrap_or(usual.ghost_fixer),
            chunking: first(layers, |o| o.chunking).unwrap_or(usual.chunking),
            shadow: first(layers, |o| o.shadow).unwrap_or(usual.shadow),
            full_pipeline: first(layers, |o| o.full_pipeline).unwrap_or(usual.full_pipeline),
            parallel: first(layers, |o| o.parallel).unwrap_or(usual.parallel).clamp(1, PARALLEL.1),
            on_failure: first(layers, |o| o.on_failure).unwrap_or(usual.on_failure),
        }
    }
}
