//! The `assist` command line.
fn main() {}
