//! The whole server against an editor in memory, and the page that describes it against the code.

mod page;
mod session;
