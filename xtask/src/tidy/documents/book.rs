//! Every page of `docs` stands in the table of contents of its book. That what stands there exists, `links` says.

use super::super::finding::Finding;
use super::page::{Page, resolved};

const FOLDER: &str = "docs";
const CONTENTS: &str = "docs/SUMMARY.md";

pub(super) fn check(pages: &[Page<'_>]) -> Vec<Finding> {
    let contents = pages.iter().find(|page| page.path == CONTENTS);
    let links = contents
        .map(|contents| contents.links.as_slice())
        .unwrap_or_default();
    let listed: Vec<String> = links
        .iter()
        .filter_map(|link| resolved(FOLDER, &link.what))
        .collect();
    pages
        .iter()
        .filter(|page| page.path.starts_with("docs/") && page.path != CONTENTS)
        .filter(|page| !listed.iter().any(|path| path == page.path))
        .map(|page| {
            Finding::in_file(
                page.path,
                format!("does not stand in {CONTENTS}"),
                "Add a line there, or the book has no such page",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::printed;
    use super::super::super::tree::File;
    use super::*;

    #[test]
    fn a_page_that_the_book_lacks_is_found() {
        let files = [
            File::made_up("docs/SUMMARY.md", "- [A](guide/a.md)\n"),
            File::made_up("docs/guide/a.md", "# A\n"),
            File::made_up("docs/guide/b.md", "# B\n"),
            File::made_up("README.md", "# Not of the book\n"),
        ];
        let pages: Vec<Page<'_>> = files.iter().map(Page::read).collect();
        assert_eq!(
            printed(&check(&pages)),
            [
                "docs/guide/b.md: does not stand in docs/SUMMARY.md. Add a line there, or the book has no such page."
            ]
        );
    }
}
