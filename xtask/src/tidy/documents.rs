//! Rules for the Markdown pages: what they point to and name exists. One file per rule; `page` reads a page.

mod book;
mod held_by;
mod links;
mod named_files;
mod named_items;
mod page;
mod shown_commands;

use clap::Command;

use super::finding::Finding;
use super::tree::File;
use page::Page;

/// `names` are all files of the repository, texts or not; `xtask` is what can be typed after `cargo xtask`.
pub(crate) fn check(files: &[File], names: &[String], xtask: &Command) -> Vec<Finding> {
    let pages: Vec<Page<'_>> = files
        .iter()
        .filter(|file| file.extension() == "md")
        .map(Page::read)
        .collect();
    let mut findings = links::check(&pages, names);
    findings.extend(book::check(&pages));
    findings.extend(named_files::check(&pages, names));
    findings.extend(named_items::check(&pages, files));
    findings.extend(held_by::check(&pages, files));
    findings.extend(shown_commands::check(&pages, xtask));
    findings
}
