//! No file imports itself through others: neither in the Rust of any package, tests apart, nor in the console.
//!
//! The rule is one graph of files for each language, with a parent module as a file like any other: so a parent and its child
//! may use each other in one direction only. A `mod` line is no import. `rust_modules` and `script_imports` decide what else
//! counts as one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::edge::Edge;
use super::finding::Finding;
use super::rust_source::RustSource;
use super::tree::File;
use super::{rust_modules, script_imports};

const REMEDY: &str = "Move what both sides need into a file that imports neither, or hand it in";

pub(crate) fn check(sources: &[RustSource], files: &[File]) -> Vec<Finding> {
    let mut edges = rust_modules::edges(sources);
    edges.extend(script_imports::edges(files));
    judge(&edges)
}

fn judge(edges: &[Edge]) -> Vec<Finding> {
    let mut graph = Graph::default();
    for edge in edges {
        let imports = graph.entry(&edge.from).or_default();
        imports.entry(&edge.to).or_insert(edge.line);
    }
    circles(&graph)
}

/// The imports of each file, with their lines.
type Graph<'g> = BTreeMap<&'g str, BTreeMap<&'g str, usize>>;

/// One finding for each group of files that reach each other, with its shortest circle.
fn circles(graph: &Graph<'_>) -> Vec<Finding> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|&file| (file, reached(graph, file))).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut findings = Vec::new();
    for (&file, reached) in &reach {
        if !reached.contains(file) || seen.contains(file) {
            continue;
        }
        let group: Vec<&str> = reach
            .iter()
            .filter(|(other, back)| reached.contains(*other) && back.contains(file))
            .map(|(&other, _)| other)
            .collect();
        seen.extend(group.iter().copied());
        let circles = group.iter().filter_map(|file| shortest(graph, file));
        let Some(circle) = circles.min_by_key(Vec::len) else {
            continue;
        };
        let files = match group.len() - (circle.len() - 1) {
            0 => String::new(),
            more => format!(" (and {more} more files in circles with these)"),
        };
        let wrong = format!("is in a circle of imports: {}{files}", circle.join(" → "));
        findings.push(Finding::at_line(
            circle[0],
            graph[circle[0]][circle[1]],
            wrong,
            REMEDY,
        ));
    }
    findings
}

/// Every file that this one imports, through others or not.
fn reached<'g>(graph: &Graph<'g>, file: &'g str) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = vec![file];
    while let Some(file) = next.pop() {
        let imports = graph.get(file).into_iter().flat_map(BTreeMap::keys);
        next.extend(imports.filter(|import| reached.insert(**import)));
    }
    reached
}

/// The shortest way from this file back to itself.
fn shortest<'g>(graph: &Graph<'g>, file: &'g str) -> Option<Vec<&'g str>> {
    let mut ways = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for &import in graph.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
            let longer = [way.as_slice(), &[import]].concat();
            if import == file {
                return Some(longer);
            }
            if seen.insert(import) {
                ways.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    fn edge(from: &str, to: &str, line: usize) -> Edge {
        let (from, to) = (from.to_owned(), to.to_owned());
        Edge { from, to, line }
    }

    #[rstest]
    #[case::a_tree(&[("a", "b"), ("a", "c"), ("b", "c")])]
    #[case::nothing(&[])]
    fn files_without_a_circle_pass(#[case] edges: &[(&str, &str)]) {
        let edges: Vec<Edge> = edges.iter().map(|(from, to)| edge(from, to, 1)).collect();
        assert_eq!(printed(&judge(&edges)), [""; 0]);
    }

    #[test]
    fn a_circle_is_found_once_by_its_shortest_way() {
        let edges = [
            edge("a", "b", 3),
            edge("b", "c", 4),
            edge("c", "a", 5),
            edge("c", "b", 6),
            edge("d", "a", 7),
        ];
        assert_eq!(
            printed(&judge(&edges)),
            [format!(
                "b:4: is in a circle of imports: b → c → b (and 1 more files in circles with these). {REMEDY}."
            )]
        );
    }

    #[test]
    fn circles_in_both_languages_are_found() {
        let sources = [
            RustSource::made_up("crates/x/src/lib.rs", "mod a;\nmod b;"),
            RustSource::made_up("crates/x/src/a.rs", "use crate::b::B;"),
            RustSource::made_up("crates/x/src/b.rs", "use crate::a::A;"),
        ];
        let files = [
            File::made_up("apps/vega-web/src/a.ts", "import { b } from \"./b\";"),
            File::made_up("apps/vega-web/src/b.ts", "import { a } from \"./a\";"),
        ];
        let findings = printed(&check(&sources, &files));
        for circle in [
            "crates/x/src/a.rs → crates/x/src/b.rs → crates/x/src/a.rs",
            "apps/vega-web/src/a.ts → apps/vega-web/src/b.ts → apps/vega-web/src/a.ts",
        ] {
            assert!(
                findings.iter().any(|finding| finding.contains(circle)),
                "{findings:?}"
            );
        }
    }
}
