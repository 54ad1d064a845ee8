//! A Markdown page as the rules see it: links, headings, inline code, and the lines of its code blocks. It knows as much of
//! Markdown as the project's pages use, and judges nothing.

use std::collections::BTreeMap;

use super::super::tree::File;

/// Something on a page, with its line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) what: T,
}

#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) path: &'a str,
    /// Where `[…](target)` leads.
    pub(super) links: Vec<At<String>>,
    /// What a link may name after `#`.
    pub(super) anchors: Vec<String>,
    pub(super) headings: Vec<At<String>>,
    /// Inline code.
    pub(super) spans: Vec<At<String>>,
    /// Lines of code blocks; one that ends with `\` goes on.
    pub(super) code: Vec<At<String>>,
}

impl<'a> Page<'a> {
    pub(super) fn read(file: &'a File) -> Self {
        let (prose, code) = blocks_apart(&file.text);
        let (prose, spans) = spans_apart(&prose);
        let headings: Vec<At<String>> = file
            .text
            .lines()
            .zip(prose.lines())
            .enumerate()
            .filter(|(_, (_, prose))| prose.starts_with('#'))
            .map(|(number, (whole, _))| At {
                line: number + 1,
                what: whole.trim_start_matches('#').trim().to_owned(),
            })
            .collect();
        Self {
            path: &file.path,
            links: links(&prose),
            anchors: anchors(&headings),
            headings,
            spans,
            code,
        }
    }

    /// The folder that its relative links and paths begin at.
    pub(super) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The path that `relative` names, seen from `folder`; `None` where it leads out of the repository.
pub(super) fn resolved(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The page without its code blocks, line by line, and these.
fn blocks_apart(text: &str) -> (String, Vec<At<String>>) {
    let (mut prose, mut code) = (String::new(), Vec::<At<String>>::new());
    let (mut inside, mut goes_on) = (false, false);
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            (inside, goes_on) = (!inside, false);
        } else if inside {
            let part = line.trim().trim_end_matches('\\');
            match code.last_mut() {
                Some(last) if goes_on => last.what.push_str(part),
                _ => code.push(At {
                    line: number + 1,
                    what: part.to_owned(),
                }),
            }
            goes_on = line.ends_with('\\');
        } else {
            prose.push_str(line);
        }
        prose.push('\n');
    }
    (prose, code)
}

/// The prose with blanks in the place of inline code, and this code. A span may go over a line's end, not over an empty line.
fn spans_apart(prose: &str) -> (String, Vec<At<String>>) {
    let (mut rest, mut blank, mut spans) = (prose, String::new(), Vec::new());
    while let Some(begin) = rest.find('`') {
        let marks = rest[begin..].bytes().take_while(|&byte| byte == b'`').count();
        let mark = &rest[begin..begin + marks];
        let inside = &rest[begin + marks..];
        let end = inside.find(mark).filter(|&end| !inside[..end].contains("\n\n"));
        let Some(end) = end else {
            blank.push_str(&rest[..begin + marks]);
            rest = inside;
            continue;
        };
        blank.push_str(&rest[..begin]);
        spans.push(At {
            line: blank.matches('\n').count() + 1,
            what: inside[..end].replace('\n', " "),
        });
        blank.extend(inside[..end].chars().filter(|&c| c == '\n'));
        rest = &inside[end + marks..];
    }
    blank.push_str(rest);
    (blank, spans)
}

fn links(prose: &str) -> Vec<At<String>> {
    let mut links = Vec::new();
    for (number, line) in prose.lines().enumerate() {
        for (at, mark) in line.match_indices("](") {
            let target = &line[at + mark.len()..];
            let target = target.split(')').next().unwrap_or(target);
            links.push(At {
                line: number + 1,
                what: target.to_owned(),
            });
        }
    }
    links
}

/// As GitHub and mdBook make them: small letters, `-` for blanks, other marks left out; the second of a name has `-1`.
fn anchors(headings: &[At<String>]) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let anchor = |heading: &At<String>| {
        let kept = heading.what.to_lowercase();
        let kept = kept.chars().filter(|&c| c.is_alphanumeric() || " -_".contains(c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        match *count {
            1 => name,
            count => format!("{name}-{}", count - 1),
        }
    };
    headings.iter().map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# The `vega` page

See [this](a.md), [that
page](b.md#two-words) and `one
span`.

```
cargo run \\
    --release   # [no link](c.md)
```

## Two words, really
## Two words, really
";

    fn at(line: usize, what: &str) -> At<String> {
        At {
            line,
            what: what.into(),
        }
    }

    #[test]
    fn a_page_is_read() {
        let file = File::made_up("docs/page.md", TEXT);
        let page = Page::read(&file);
        assert_eq!(page.links, [at(3, "a.md"), at(4, "b.md#two-words")]);
        assert_eq!(page.spans, [at(1, "vega"), at(4, "one span")]);
        assert_eq!(page.code, [at(8, "cargo run --release   # [no link](c.md)")]);
        assert_eq!(
            page.anchors,
            ["the-vega-page", "two-words-really", "two-words-really-1"]
        );
        assert_eq!(page.folder(), "docs");
    }

    #[test]
    fn a_relative_path_is_seen_from_its_folder() {
        assert_eq!(resolved("docs/guide", "../a.md").as_deref(), Some("docs/a.md"));
        assert_eq!(resolved("", "./docs/").as_deref(), Some("docs"));
        assert_eq!(resolved("docs", "../../a.md"), None);
    }
}
