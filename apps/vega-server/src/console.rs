//! The console's embedded pages.

pub(crate) mod pages;
