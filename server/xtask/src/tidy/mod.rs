//! `cargo xtask tidy`: the walls of the house and the manners of its files.
//!
//! Reads text only, so it is quick and needs no build of what it checks. `cargo test -p xtask` runs it over this repository.

use std::path::Path;

mod files;
mod links;
mod locks;
mod manners;
mod walls;

use files::Source;

/// One thing that is out of order: where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the repository.
    pub file: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong, in a sentence.
    pub message: String,
}

impl Problem {
    fn new(file: &str, line: impl Into<Option<usize>>, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: line.into(), message: message.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Everything that is out of order in the repository at `root`.
///
/// # Errors
/// When the repository cannot be read, or a Cargo.toml is not understood.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let sources = files::read(root)?;
    let mut problems = walls::check(&sources)?;
    problems.extend(locks::check(&sources)?);
    problems.extend(manners::check(&sources, &manners::own_places(root)));
    problems.extend(links::check(&sources, root));
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// Checks the repository at `root` and prints what is out of order.
///
/// # Errors
/// When something is.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let problems = check(root)?;
    for problem in &problems {
        println!("{problem}");
    }
    anyhow::ensure!(problems.is_empty(), "{} things are out of order", problems.len());
    println!("The house is tidy.");
    Ok(())
}

#[cfg(test)]
mod tests;
