//! What is written into a file: one of the fixed formats, or what a template makes of the token. A template sees the token and what is
//! known of it, and nothing else: no environment, no other file. A name that it does not know is an error, also where it would not be
//! reached.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use chrono::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};
use vega_api_types::TokenView;
use vega_domain::InvalidValue;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::file_delivery::{DeliveryFailure, DeliveryProblem};
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, UserId};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_domain::token_file::{FileFormat, TokenFile};
use zeroize::Zeroizing;

use crate::others_may_change::OthersMayChange;
use crate::redaction::without;

/// More than any configuration file needs.
const LONGEST_TEMPLATE: u64 = 1024 * 1024;
/// Steps of a template: one that goes on for ever ends.
const STEPS: u64 = 1_000_000;

/// The text of a file for this token.
pub(crate) fn of(
    file: &TokenFile,
    token: &StoredToken,
    others_may_change: OthersMayChange,
) -> Result<Zeroizing<String>, DeliveryFailure> {
    let secret = token.access_token.expose();
    Ok(Zeroizing::new(match &file.format {
        FileFormat::Raw => secret.to_owned(),
        FileFormat::Env => format!("UPSTOX_ACCESS_TOKEN={}\n", quoted(secret)?.as_str()),
        FileFormat::Header => format!("Authorization: Bearer {secret}\n"),
        FileFormat::Json => {
            let json = Zeroizing::new(
                serde_json::to_string(&TokenView::of(file.api.as_str(), token))
                    .map_err(|error| DeliveryFailure::new(DeliveryProblem::WriteFailed, error.to_string()))?,
            );
            format!("{}\n", *json)
        }
        FileFormat::Template(path) => {
            let source = template(path, others_may_change)?;
            rendered(&source, &file.api, token).map_err(|words| failed(path, &without(&words, secret)))?
        }
    }))
}

/// A token that is none, with which a template can be tried.
pub(crate) fn sample(api: &ApiName) -> Result<StoredToken, InvalidValue> {
    Ok(StoredToken {
        api: api.clone(),
        account: AccountId::new("default")?,
        client_id: ClientId::new("00000000-0000-4000-8000-000000000000")?,
        user_id: UserId::new("AB1234")?,
        generation: Generation::FIRST,
        access_token: AccessToken::new("sample.of.a-token"),
        issued_at: DateTime::UNIX_EPOCH,
        valid_until: DateTime::UNIX_EPOCH,
        verified_at: None,
        rejected_at: None,
        last_check: None,
    })
}

/// As one word of a shell, which systemd reads in the same way.
fn quoted(secret: &str) -> Result<Zeroizing<String>, DeliveryFailure> {
    match shlex::try_quote(secret) {
        Ok(word) if !secret.contains('\n') => Ok(Zeroizing::new(word.into_owned())),
        _ => Err(DeliveryFailure::new(
            DeliveryProblem::WriteFailed,
            "the token holds a character that no variable can have",
        )),
    }
}

fn failed(path: &Path, words: &str) -> DeliveryFailure {
    DeliveryFailure::new(
        DeliveryProblem::TemplateFailed,
        format!("{} {words}", path.display()),
    )
}

/// The text of a template, which nobody else may change: it would get the token.
fn template(path: &Path, others_may_change: OthersMayChange) -> Result<String, DeliveryFailure> {
    (others_may_change.file)(path)
        .map_err(|words| DeliveryFailure::new(DeliveryProblem::TemplateFailed, words))?;
    let mut source = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_TEMPLATE + 1).read_to_string(&mut source));
    match read {
        Err(error) => Err(failed(path, &format!("cannot be read: {error}"))),
        Ok(length) if length as u64 > LONGEST_TEMPLATE => Err(failed(path, "is larger than 1 MiB")),
        Ok(_) => Ok(source),
    }
}

/// What the template makes of a token, or what is wrong with it.
fn rendered(source: &str, api: &ApiName, token: &StoredToken) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| said(&error))?);
    environment.set_fuel(Some(STEPS));
    let names = names_of(api, token);
    let template = environment
        .template_from_named_str("the template", source)
        .map_err(|error| said(&error))?;
    let unknown = template.undeclared_variables(false);
    let is_known = |name: &String| {
        names.iter().any(|(known, _)| known == name) || environment.globals().any(|(known, _)| known == name)
    };
    if let Some(name) = unknown.iter().filter(|name| !is_known(name)).min() {
        let known = names.map(|(name, _)| name).join(", ");
        return Err(format!("speaks of {name}, which there is not. There are {known}"));
    }
    let values: BTreeMap<_, _> = names.into_iter().collect();
    template.render(values).map_err(|error| said(&error))
}

/// What a template may speak of.
fn names_of(api: &ApiName, token: &StoredToken) -> [(&'static str, Value); 10] {
    [
        ("access_token", Value::from(token.access_token.expose())),
        ("api", Value::from(api.as_str())),
        ("kind", Value::from(token.kind().as_str())),
        ("account", Value::from(token.account.as_str())),
        ("client_id", Value::from(token.client_id.as_str())),
        ("user_id", Value::from(token.user_id.as_str())),
        ("generation", Value::from(token.generation.get())),
        ("issued_at", Value::from(rfc3339_ist(token.issued_at))),
        ("valid_until", Value::from(rfc3339_ist(token.valid_until))),
        ("valid_until_unix", Value::from(token.valid_until.timestamp())),
    ]
}

/// The line and the cause.
fn said(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("in line {line}: "));
    let detail = error.detail().map(|detail| format!(": {detail}"));
    format!(
        "does not work: {}{}{}",
        line.unwrap_or_default(),
        error.kind(),
        detail.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_domain::ids::AttemptId;
    use vega_domain::token_file::{FileAccess, FileMode, OnExpiry};
    use vega_domain::token_kind::WantedKind;
    use vega_testing::builders;

    use super::*;

    const NOBODY: OthersMayChange = OthersMayChange {
        folder: |_| Ok(()),
        file: |_| Ok(()),
    };
    const EVERYBODY: OthersMayChange = OthersMayChange {
        folder: |_| Err("open to others".into()),
        file: |_| Err("open to others".into()),
    };

    fn token(secret: &str) -> StoredToken {
        StoredToken {
            access_token: AccessToken::new(secret),
            ..builders::token(AttemptId::at(builders::at(0)), "PRIMARY", 3).token
        }
    }

    fn content(format: FileFormat, secret: &str) -> Result<String, DeliveryFailure> {
        let file = TokenFile {
            api: builders::api("PRIMARY"),
            account: AccountId::new("default").unwrap(),
            kind: WantedKind::Trade,
            path: "/run/token".into(),
            format,
            access: FileAccess {
                mode: FileMode::PRIVATE,
                owner: None,
                group: None,
            },
            check: None,
            then: None,
            on_expiry: OnExpiry::Remove,
        };
        of(&file, &token(secret), NOBODY).map(|text| text.to_string())
    }

    /// Under whichever name it is kept, programs know it by their API, and what it opens by its kind.
    #[test]
    fn an_analytics_token_is_told_apart_and_keeps_its_name_to_itself() {
        let analytics = StoredToken {
            api: ApiName::of_analytics(&AccountId::new("default").unwrap()),
            ..token("canary")
        };
        let api = builders::api("PRIMARY");
        let told = rendered("{{ api }} {{ kind }} {{ account }}", &api, &analytics).unwrap();
        assert_eq!(told, "PRIMARY read default");
        assert_eq!(
            rendered("{{ kind }}", &api, &token("canary")).as_deref(),
            Ok("trade")
        );
        let json = content(FileFormat::Json, "canary").unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["api"], &json["kind"]),
            (&"PRIMARY".into(), &"trade".into())
        );
    }

    #[test]
    fn each_format_is_what_its_readers_expect() {
        let secret = "eyJ0.eyJz_1-x.c2ln";
        assert_eq!(content(FileFormat::Raw, secret).unwrap(), secret);
        assert_eq!(
            content(FileFormat::Env, secret).unwrap(),
            format!("UPSTOX_ACCESS_TOKEN={secret}\n")
        );
        assert_eq!(
            content(FileFormat::Header, secret).unwrap(),
            format!("Authorization: Bearer {secret}\n")
        );
        let json = content(FileFormat::Json, secret).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["access_token"], &json["generation"]),
            (&secret.into(), &3.into())
        );
    }

    #[test]
    fn a_variable_is_one_word_whatever_the_token_holds() {
        assert_eq!(
            content(FileFormat::Env, "a b").unwrap(),
            "UPSTOX_ACCESS_TOKEN='a b'\n"
        );
        let refused = content(FileFormat::Env, "a\nb").unwrap_err();
        assert_eq!(refused.problem, DeliveryProblem::WriteFailed);
    }

    #[rstest]
    #[case::a_name("{{ access_token }}|{{ generation }}\n", "SECRET|3\n")]
    #[case::all(
        "{{ api }} {{ account }} {{ valid_until_unix > 0 }} {{ client_id|length > 0 }} {{ user_id|length > 0 }}",
        "PRIMARY default True True True"
    )]
    #[case::a_loop(
        "{% for n in range(3) %}{{ loop.index }}{% endfor %}{% set x = api %}{{ x }}",
        "123PRIMARY"
    )]
    #[case::no_markup("<{{ access_token }}&>", "<SECRET&>")]
    fn a_template_makes_any_text(#[case] source: &str, #[case] text: &str) {
        assert_eq!(
            rendered(source, &builders::api("PRIMARY"), &token("SECRET")).as_deref(),
            Ok(text)
        );
    }

    #[rstest]
    #[case::unknown(
        "{{ acess_token }}",
        "speaks of acess_token, which there is not. There are access_token"
    )]
    #[case::unreached("{% if false %}{{ other }}{% endif %}", "speaks of other")]
    #[case::a_part("{{ api.name }}", "undefined value")]
    #[case::syntax("a\n{{ api", "in line 2")]
    #[case::another_file("{% include '/etc/passwd' %}", "template not found")]
    #[case::the_environment("{{ env }}", "speaks of env")]
    #[case::for_ever(
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "fuel"
    )]
    fn a_template_that_does_not_work_is_refused(#[case] source: &str, #[case] words: &str) {
        let refused = rendered(source, &builders::api("PRIMARY"), &token("SECRET")).unwrap_err();
        assert!(refused.contains(words), "{refused}");
        assert!(!refused.contains("SECRET"), "{refused}");
    }

    #[test]
    fn a_template_is_a_file_that_nobody_else_may_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("template");
        let missing = content(FileFormat::Template(path.clone()), "SECRET").unwrap_err();
        assert_eq!(missing.problem, DeliveryProblem::TemplateFailed);
        std::fs::write(&path, "t={{ access_token }}").unwrap();
        assert_eq!(
            content(FileFormat::Template(path.clone()), "SECRET").unwrap(),
            "t=SECRET"
        );
        let open = template(&path, EVERYBODY).unwrap_err();
        assert_eq!(open.problem, DeliveryProblem::TemplateFailed);
    }

    #[test]
    fn the_template_of_the_guide_works() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/programs.md");
        let page = std::fs::read_to_string(page).unwrap();
        let source = page
            .split("```jinja\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let text = rendered(source.unwrap(), &builders::api("PRIMARY"), &token("SECRET")).unwrap();
        assert!(
            text.starts_with("[upstox]\ntoken = \"SECRET\"\ngood_until = "),
            "{text}"
        );
        let named =
            names_of(&builders::api("PRIMARY"), &token("SECRET")).map(|(name, _)| format!("`{name}`"));
        assert!(named.iter().all(|name| page.contains(name)), "{named:?}");
    }
}
