//! The console's pages, embedded in the program.

pub(crate) mod pages;
