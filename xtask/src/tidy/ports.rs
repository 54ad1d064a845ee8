//! A port is small: a trait in the domain's `ports` has at most six methods. More serve several callers, and each of those
//! deserves a port of its own.

use super::finding::Finding;
use super::rust_source::{RustSource, Token};

const PORTS: &str = "crates/domain/src/ports/";
const MOST: usize = 6;

pub(crate) fn check(sources: &[RustSource]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with(PORTS)) {
        let large = traits(&source.tokens)
            .into_iter()
            .filter(|(_, methods)| *methods > MOST);
        findings.extend(large.map(|(name, methods)| {
            Finding::at_line(
                &source.path,
                name.line,
                format!("the port {} has {methods} methods, more than {MOST}", name.text),
                "Split it by who calls it",
            )
        }));
    }
    findings
}

/// Every trait with its number of methods.
fn traits(tokens: &[Token]) -> Vec<(&Token, usize)> {
    let mut traits = Vec::new();
    for at in 1..tokens.len() {
        if !tokens[at - 1].is("trait") {
            continue;
        }
        let (mut depth, mut methods) = (0, 0);
        for token in tokens[at..].iter().skip_while(|token| !token.is("{")) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                "fn" if depth == 1 => methods += 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        traits.push((&tokens[at], methods));
    }
    traits
}

#[cfg(test)]
mod tests {
    use super::super::finding::printed;
    use super::*;

    fn port(methods: usize) -> RustSource {
        // A function that is handed over, and one inside a method, are no methods.
        let methods = "async fn a(&self, f: fn(u8)) { fn inner() {} }\n".repeat(methods);
        let text = format!("pub struct S;\npub trait Port: Send {{\n{methods}}}\nfn b() {{}}\n");
        RustSource::made_up(&format!("{PORTS}port.rs"), &text)
    }

    #[test]
    fn a_port_has_at_most_six_methods() {
        assert_eq!(printed(&check(&[port(6)])), [""; 0]);
        assert_eq!(
            printed(&check(&[port(7)])),
            [format!(
                "{PORTS}port.rs:2: the port Port has 7 methods, more than 6. Split it by who calls it."
            )]
        );
    }

    #[test]
    fn a_trait_elsewhere_is_no_port() {
        let mut source = port(7);
        source.path = "crates/services/src/port.rs".to_owned();
        assert_eq!(printed(&check(&[source])), [""; 0]);
    }
}
