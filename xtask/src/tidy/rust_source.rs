//! A Rust file as the words and marks that the compiler sees: comments are gone and texts are blank, so a rule never
//! trips over prose. Macro bodies are read like all other code.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::finding::Finding;
use super::tree::File;

#[derive(Debug)]
pub(crate) struct RustSource {
    pub(crate) path: String,
    pub(crate) tokens: Vec<Token>,
}

#[derive(Debug)]
pub(crate) struct Token {
    /// A word, or one character: a mark or a bracket. Every literal is `"`.
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_word(&self) -> bool {
        self.text
            .starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

impl RustSource {
    pub(crate) fn read(file: &File) -> Result<Self, Finding> {
        let stream: TokenStream = file.text.parse().map_err(|error: proc_macro2::LexError| {
            Finding::at_line(
                &file.path,
                error.span().start().line,
                format!("is not Rust: {error}"),
                "Balance its brackets and quotes; the compiler says more",
            )
        })?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Ok(Self {
            path: file.path.clone(),
            tokens,
        })
    }

    #[cfg(test)]
    pub(crate) fn made_up(path: &str, text: &str) -> Self {
        Self::read(&File::made_up(path, text)).unwrap()
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let text = match tree {
            TokenTree::Ident(word) => word.to_string(),
            TokenTree::Punct(mark) => mark.as_char().to_string(),
            TokenTree::Literal(_) => "\"".to_owned(),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let bracket = |text: &str, line| Token {
                    text: text.to_owned(),
                    line,
                };
                tokens.push(bracket(open, line));
                flatten(group.stream(), tokens);
                tokens.push(bracket(close, group.span_close().start().line));
                continue;
            }
        };
        tokens.push(Token { text, line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_not_code() {
        let source = RustSource::made_up("a.rs", "// todo!()\nlet a = \"dbg!(1)\"; /* x */ b(c)\n");
        let texts: Vec<&str> = source.tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(texts, ["let", "a", "=", "\"", ";", "b", "(", "c", ")"]);
        assert_eq!(source.tokens[0].line, 2);
    }

    #[test]
    fn what_is_not_rust_is_a_finding() {
        let finding = RustSource::read(&File::made_up("a.rs", "//! Header.\nfn a( {\n")).unwrap_err();
        assert!(
            finding.to_string().starts_with("a.rs:2: is not Rust"),
            "{finding}"
        );
    }
}
