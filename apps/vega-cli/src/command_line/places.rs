//! The options that name where settings are, wherever they stand on the line: before a command too, where the parser takes
//! what follows an option of `vega` itself for APIs.

use std::ffi::OsString;

const OPTIONS: [&str; 2] = ["--config-dir", "--env-file"];

/// The line with such options that begin it put behind the word that follows them.
pub(crate) fn behind_the_command(line: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut line: Vec<OsString> = line.into_iter().collect();
    let mut end = 1;
    while let Some(option) = line.get(end).and_then(|word| word.to_str()) {
        if OPTIONS.contains(&option) {
            end += 2;
        } else if OPTIONS.iter().any(|name| {
            option
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('='))
        }) {
            end += 1;
        } else {
            break;
        }
    }
    let is_word = |word: &OsString| !word.to_string_lossy().starts_with('-');
    if end > 1 && line.get(end).is_some_and(is_word) {
        line[1..=end].rotate_right(1);
    }
    line
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("vega --config-dir d status --json", "vega status --config-dir d --json")]
    #[case(
        "vega --env-file=f --config-dir d token PRIMARY",
        "vega token --env-file=f --config-dir d PRIMARY"
    )]
    #[case("vega --config-dir d PRIMARY", "vega PRIMARY --config-dir d")]
    #[case("vega --config-dir d --yes PRIMARY", "vega --config-dir d --yes PRIMARY")]
    #[case("vega status --config-dir d", "vega status --config-dir d")]
    #[case("vega --config-dir", "vega --config-dir")]
    #[case("vega --config-dir d", "vega --config-dir d")]
    #[case("vega --config-dirs d status", "vega --config-dirs d status")]
    #[case("vega", "vega")]
    fn only_what_stands_before_a_word_moves(#[case] line: &str, #[case] parsed: &str) {
        let line = line.split(' ').map(OsString::from);
        assert_eq!(behind_the_command(line).join(" ".as_ref()), parsed);
    }
}
