//! The whole path, from what a person types to the bytes in their files: the real binary and the real server, with the
//! simulator as the model on the other end of a real connection.

mod editor;
mod support;

mod assist_git;
mod assist_memory;
mod assist_plan;
mod assist_talk;
mod assist_web;
mod auth_doctor;
#[cfg(unix)]
mod background;
mod bad_input;
mod budget;
mod build;
#[cfg(unix)]
mod checkpoints;
mod cli_ask;
#[cfg(unix)]
mod commands;
#[cfg(unix)]
mod commits;
mod conversations;
mod crash;
mod crowd;
#[cfg(unix)]
mod delivery;
mod demo;
mod disk_full;
mod edits;
#[cfg(unix)]
mod hostile;
mod imports;
mod kills;
mod ledger;
mod lsp_ask;
mod lsp_control;
mod lsp_edits;
mod lsp_kept;
mod matrix;
mod misprints;
mod newer;
mod reopening;
mod reuse;
mod sessions;
#[cfg(unix)]
mod shadow;
#[cfg(unix)]
mod ship;
mod spoilt;
mod steering;
#[cfg(unix)]
mod strange;
mod tls;
mod truncation;
mod typing;
#[cfg(unix)]
mod verified;
mod verify;
