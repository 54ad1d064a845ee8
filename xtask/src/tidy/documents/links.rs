//! A relative link leads to a file or folder of the repository, and its anchor to a heading there. Links to other sites are
//! not followed.

use super::super::finding::Finding;
use super::page::{Page, resolved};

pub(super) fn check(pages: &[Page<'_>], names: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for link in &page.links {
            if let Some(wrong) = dangling(page, &link.what, pages, names) {
                findings.push(Finding::at_line(
                    page.path,
                    link.line,
                    wrong,
                    "Correct the link, or write what it should lead to",
                ));
            }
        }
    }
    findings
}

/// Whether a file has this path, or a folder.
pub(super) fn is_there(path: &str, names: &[String]) -> bool {
    let inside = |name: &String| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    path.is_empty() || names.iter().any(|name| name == path || inside(name))
}

fn dangling(page: &Page<'_>, link: &str, pages: &[Page<'_>], names: &[String]) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (link, None),
    };
    let target = if path.is_empty() {
        Some(page.path.to_owned())
    } else {
        resolved(page.folder(), path).filter(|target| is_there(target, names))
    };
    let Some(target) = target else {
        return Some(format!("links to {link}, which is not there"));
    };
    let of_page = pages.iter().find(|page| page.path == target)?;
    let has = |anchor: &str| of_page.anchors.iter().any(|one| one == anchor);
    let missing = anchor.filter(|anchor| !has(anchor))?;
    Some(format!(
        "links to #{missing} of {target}, which has no such heading"
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::super::finding::printed;
    use super::super::super::tree::File;
    use super::*;

    fn findings(link: &str) -> Vec<String> {
        let files = [
            File::made_up("docs/a.md", &format!("# Top\n\n[x]({link})\n")),
            File::made_up("README.md", "# Vega\n\n## See it work\n"),
        ];
        let pages: Vec<Page<'_>> = files.iter().map(Page::read).collect();
        let names = ["README.md", "docs/a.md", "docs/p.png"].map(String::from);
        printed(&check(&pages, &names))
    }

    #[rstest]
    #[case::a_page("../README.md")]
    #[case::a_heading("../README.md#see-it-work")]
    #[case::a_heading_here("#top")]
    #[case::a_picture("p.png")]
    #[case::a_folder("../docs")]
    #[case::another_site("https://example.com/#no")]
    fn a_link_that_leads_somewhere_passes(#[case] link: &str) {
        assert_eq!(findings(link), [""; 0]);
    }

    #[rstest]
    #[case::no_file("b.md", "links to b.md, which is not there")]
    #[case::out_of_the_repository("../../b.md", "links to ../../b.md, which is not there")]
    #[case::no_heading(
        "../README.md#install",
        "links to #install of README.md, which has no such heading"
    )]
    #[case::no_heading_here("#end", "links to #end of docs/a.md, which has no such heading")]
    fn a_link_that_leads_nowhere_is_found(#[case] link: &str, #[case] wrong: &str) {
        let expected = format!("docs/a.md:3: {wrong}. Correct the link, or write what it should lead to.");
        assert_eq!(findings(link), [expected]);
    }
}
