//! The gate over real code: whole files, cut files, joined answers, merged components.
//!
//! Ordinarily over sources of this repository and generated ones, in seconds. `cargo xtask prove gate` names a folder of
//! fetched packages in `ASSIST_PROVE_CORPUS`; then all of their files are taken, and the figures printed.

#![expect(clippy::print_stdout, reason = "a proof's figures are for whoever runs it")]

mod chunks;
mod corpus;
mod cuts;
mod dice;
mod joints;
mod merging;
