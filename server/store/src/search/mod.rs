//! Finding things by words and by vectors, and bringing the two scores together. Nothing here calls a model: vectors are
//! handed in, and where there are none the words decide alone.

mod fusion;
mod misspelt;
mod past;
mod query;
mod terms;
mod vectors;

pub(crate) use fusion::{Scores, fuse};
pub(crate) use misspelt::find as find_misspelt;
pub use past::{Past, PastFilter, PastMessage, PastRun};
pub(crate) use query::Query;
pub(crate) use terms::{Index, Terms};
pub(crate) use vectors::nearest;
pub use vectors::{Embedding, Vectors, Waiting};
