//! Which file of the console imports which: relative `import … from` and `export … from` of its TypeScript, those of types too.
//! `import(…)` does not count, because it waits until it is called.

use std::collections::BTreeSet;

use super::edge::Edge;
use super::tree::File;

const CONSOLE: &str = "apps/vega-web/src/";
const ENDINGS: &[&str] = &["", ".ts", ".tsx", "/index.ts", "/index.tsx"];

pub(crate) fn edges(files: &[File]) -> Vec<Edge> {
    let scripts = files.iter().filter(|file| {
        file.path.starts_with(CONSOLE) && matches!(file.extension(), "ts" | "tsx") && !file.is_generated()
    });
    let scripts: Vec<&File> = scripts.collect();
    let paths: BTreeSet<&str> = scripts.iter().map(|file| file.path.as_str()).collect();
    let mut edges = Vec::new();
    for file in scripts {
        for (source, line) in imports(&file.text) {
            let Some(path) = beside(&file.path, source) else {
                continue;
            };
            let mut candidates = ENDINGS.iter().map(|ending| format!("{path}{ending}"));
            if let Some(to) = candidates.find(|path| paths.contains(path.as_str())) {
                let from = file.path.clone();
                edges.push(Edge { from, to, line });
            }
        }
    }
    edges
}

/// What the file's statements import, with the line on which each begins. Statements begin at the start of a line.
fn imports(text: &str) -> Vec<(&str, usize)> {
    let mut imports = Vec::new();
    let mut start = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let statement = &text[start..];
        start += line.len();
        let is_import = statement.starts_with("import ");
        let is_export = statement.starts_with("export {")
            || statement.starts_with("export type {")
            || statement.starts_with("export *");
        if !is_import && !is_export {
            continue;
        }
        let statement = statement.split(';').next().unwrap_or_default();
        let source = match statement.split_once(" from ") {
            Some((_, source)) => source,
            // For its effects alone.
            None if is_import => &statement["import ".len()..],
            None => continue,
        };
        imports.push((source.trim().trim_matches(['"', '\'']), at + 1));
    }
    imports
}

/// The path of a relative source, seen from a file.
fn beside(file: &str, source: &str) -> Option<String> {
    if !source.starts_with('.') {
        return None;
    }
    let mut folders: Vec<&str> = file.split('/').collect();
    folders.pop();
    for part in source.split('/') {
        match part {
            "." => {}
            ".." => {
                folders.pop();
            }
            name => folders.push(name),
        }
    }
    Some(folders.join("/"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_value("import { b } from \"./b\";", &["1 → b.ts"])]
    #[case::over_lines("// A.\nimport {\n  b,\n} from './b';\nimport c from \"../page/c/d\";", &["2 → b.ts", "5 → c/d.tsx"])]
    #[case::a_folder("import { c } from \"./c\";", &["1 → c/index.ts"])]
    #[case::for_its_effects("import \"./b\";", &["1 → b.ts"])]
    #[case::an_export("export { b } from \"./b\";\nexport * from \"./c/d\";", &["1 → b.ts", "2 → c/d.tsx"])]
    #[case::types_and_values("import { type B, b } from \"./b\";", &["1 → b.ts"])]
    #[case::types("import type { B } from \"./b\";\nexport type { B } from \"./b\";", &["1 → b.ts", "2 → b.ts"])]
    #[case::late("const b = await import(\"./b\");", &[])]
    #[case::a_package("import { b } from \"b\";", &[])]
    #[case::a_picture("import icon from \"./icon.svg\";", &[])]
    #[case::an_own_export("export { b };\nexport const from = 1;", &[])]
    fn imports_between_files_are_read(#[case] text: &str, #[case] expected: &[&str]) {
        let file = |path: &str, text: &str| File::made_up(&format!("{CONSOLE}page/{path}"), text);
        let files = [
            file("a.ts", text),
            file("b.ts", ""),
            file("c/index.ts", ""),
            file("c/d.tsx", ""),
        ];
        let folder = format!("{CONSOLE}page/");
        let shown: Vec<String> = edges(&files)
            .iter()
            .map(|edge| format!("{} → {}", edge.line, edge.to.strip_prefix(&folder).unwrap()))
            .collect();
        assert_eq!(shown, expected);
    }
}
