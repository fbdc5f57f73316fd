//! What is whole, what is cut, what is wrong, and exactly where it goes.
//!
//! A model's answer comes in as text, chunk by chunk; [`Scanner`] finds the components in it, [`stitch()`] joins a cut
//! answer and its continuation, [`place`] computes the edits that put a component into a file, and [`judge`] decides
//! whether that may be applied. [`hunks`] does the same for surgical edits. [`outline()`] names what a text declares; [`unified`] and [`merge3()`] serve those who show
//! and undo changes.
//!
//! Pure: no file, no socket, no clock, no async. Everything here takes hostile text and answers with a verdict, never with
//! a panic. Positions are UTF-8 byte offsets; line numbers count from 1.

pub mod diff;
pub mod gate;
pub mod hunks;
pub mod languages;
pub mod merge;
pub mod merge3;
pub mod modules;
pub mod outline;
pub mod scanner;
pub mod stitch;

mod brackets;
mod ecma;
mod injection;
mod rust;
mod tree;

pub use brackets::{Open, OpenKind, still_open};
pub use diff::unified;
pub use gate::{Candidate, Judgement, Reason, Verdict, faults, judge, judge_edits};
pub use languages::{Language, QueryError};
pub use merge::{Alias, How, PlaceError, Placement, Project, Target, add_import, imports, place, place_in};
pub use merge3::{Conflict, merge3};
pub use modules::{Exports, Source, exports, sources};
pub use outline::{Kind, Outlined, enclosing, outline};
pub use scanner::{Block, Component, Ending, Header, Scanned, Scanner};
pub use stitch::{MIN_ANCHOR, NoAnchor, Seam, Stitched, TAIL_CHARS, stitch, tail};
