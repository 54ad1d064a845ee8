//! Scenarios: what shall go wrong, where, for whom and how often. The control paths put them in, calls and dialogs
//! take them out; a scenario that could never fire where it is put is refused instead of doing nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::page_options::{BlockAt, Container, Layout, RefusalStyle};

/// The part of the broker a scenario is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Exchange,
    Profile,
    LastPrice,
    Logout,
    /// The way to a feed's socket.
    Feed,
    Dialog,
    Page,
}

/// Whom a scenario is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    All,
    /// An app's name or client id.
    App(String),
    /// An account's name.
    Account(String),
}

/// What goes wrong. The fields are the `params` of the control path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Kind {
    /// An error envelope; `after` lets the call do its work first.
    Status {
        status: u16,
        #[serde(default = "internal")]
        code: String,
        #[serde(default)]
        message: Option<String>,
        /// More errors in the same envelope.
        #[serde(default)]
        also: Vec<String>,
        #[serde(default)]
        after: bool,
    },
    /// A token is refused as if it were dead until it is so old.
    NewTokenRefused {
        ms: u64,
    },
    RateLimited {},
    Delay {
        ms: u64,
        #[serde(default)]
        after: bool,
    },
    ResetBefore {},
    ResetAfter {},
    /// Half of the body; with `drop_connection` the other half is announced and never comes.
    Truncated {
        #[serde(default)]
        drop_connection: bool,
    },
    HugeBody {
        #[serde(default = "sixteen_mebibytes")]
        bytes: usize,
    },
    NonJson {},
    /// The 1010 block page; `at` matters on a page only.
    CloudflareHtml {
        #[serde(default)]
        at: BlockAt,
    },
    WrongUser {
        #[serde(default = "somebody_else")]
        user_id: String,
    },
    MissingAccessToken {},
    WithExtendedToken {},
    DuplicateKey {},
    /// The JSON page the dialog shows instead of a login.
    AuthorizeError {
        #[serde(default = "authorize_refused")]
        code: String,
    },
    Challenge {},
    Consent {},
    Layout {
        layout: Layout,
    },
    RefusalStyle {
        style: RefusalStyle,
    },
    Container {
        container: Container,
    },
    SlowPage {
        ms: u64,
    },
    NeverRedirect {},
    RedirectWithoutState {},
    RedirectWrongState {},
    /// What the page refuses, it also repeats.
    RepeatEntry {},
    /// What the page refuses, it refuses with these words more.
    AddWords {
        words: String,
    },
}

fn internal() -> String {
    "UDAPI100500".to_owned()
}

fn sixteen_mebibytes() -> usize {
    16 << 20
}

fn somebody_else() -> String {
    "ZZ9999".to_owned()
}

fn authorize_refused() -> String {
    "UDAPI100068".to_owned()
}

impl Kind {
    /// Whether this can happen at `on`.
    fn fits(&self, on: Target) -> bool {
        use Target::{Dialog, Exchange, Feed, LastPrice, Logout, Page, Profile};
        let places: &[Target] = match self {
            Kind::Status { after: true, .. }
            | Kind::Delay { after: true, .. }
            | Kind::NonJson {}
            | Kind::HugeBody { .. }
            | Kind::ResetAfter {}
            | Kind::Truncated { .. } => &[Exchange, Profile, LastPrice, Logout],
            Kind::NewTokenRefused { .. } => &[Profile, LastPrice, Feed],
            Kind::Status { .. } | Kind::RateLimited {} | Kind::Delay { .. } | Kind::ResetBefore {} => {
                &[Exchange, Profile, LastPrice, Logout, Feed, Dialog]
            }
            Kind::CloudflareHtml { .. } => &[Exchange, Profile, LastPrice, Logout, Feed, Dialog, Page],
            Kind::WrongUser { .. } => &[Exchange, Profile],
            Kind::MissingAccessToken {} | Kind::WithExtendedToken {} | Kind::DuplicateKey {} => &[Exchange],
            Kind::AuthorizeError { .. } => &[Dialog],
            Kind::Challenge {}
            | Kind::Consent {}
            | Kind::Layout { .. }
            | Kind::RefusalStyle { .. }
            | Kind::Container { .. }
            | Kind::SlowPage { .. }
            | Kind::NeverRedirect {}
            | Kind::RedirectWithoutState {}
            | Kind::RedirectWrongState {}
            | Kind::RepeatEntry {}
            | Kind::AddWords { .. } => &[Page],
        };
        places.contains(&on)
    }
}

/// A scenario as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    scope: Scope,
    on: Target,
    kind: String,
    /// How often it fires; `null` means until it is deleted.
    #[serde(default)]
    times: Option<u32>,
    #[serde(default)]
    params: Map<String, Value>,
}

/// A scenario in force.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) id: u64,
    pub(crate) scope: Scope,
    on: Target,
    kind: Kind,
    left: Option<u32>,
}

impl Scenario {
    /// The scenario as the control paths show it; `times` is how often it will still fire.
    pub(crate) fn view(&self) -> Value {
        let mut params = serde_json::to_value(&self.kind).unwrap_or_default();
        let kind = params.as_object_mut().and_then(|fields| fields.remove("kind"));
        json!({ "id": self.id, "scope": self.scope, "on": self.on, "kind": kind, "times": self.left,
                "params": params })
    }
}

/// All scenarios in force, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Scenarios {
    list: Vec<Scenario>,
    last_id: u64,
}

/// What a caller is, as far as scopes care: its app's name and client id and its account's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) app: String,
    pub(crate) client_id: String,
    pub(crate) account: String,
}

impl Scenarios {
    /// Puts a scenario in force; the error says in words what is wrong with the request.
    pub(crate) fn add(&mut self, request: Request) -> Result<&Scenario, String> {
        let mut fields = request.params;
        fields.insert("kind".to_owned(), Value::String(request.kind));
        let kind: Kind = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        if !kind.fits(request.on) {
            return Err(format!("this kind cannot happen on {:?}", request.on));
        }
        self.last_id += 1;
        let scenario = Scenario {
            id: self.last_id,
            scope: request.scope,
            on: request.on,
            kind,
            left: request.times,
        };
        self.list.push(scenario);
        self.list.last().ok_or_else(|| "no scenario".to_owned())
    }

    /// Takes what shall happen to this caller at `on`, and uses up one of its times each.
    pub(crate) fn take(&mut self, on: Target, caller: &Caller) -> Vec<Kind> {
        let mut taken = Vec::new();
        for scenario in &mut self.list {
            let meant = match &scenario.scope {
                Scope::All => true,
                Scope::App(name) => *name == caller.app || *name == caller.client_id,
                Scope::Account(name) => *name == caller.account,
            };
            if scenario.on != on || !meant || scenario.left == Some(0) {
                continue;
            }
            // Two faults cannot end one call: the second waits for the next call.
            let ends_call = |kind: &Kind| !matches!(kind, Kind::Delay { .. });
            if on != Target::Page && ends_call(&scenario.kind) && taken.iter().any(ends_call) {
                continue;
            }
            scenario.left = scenario.left.map(|left| left - 1);
            taken.push(scenario.kind.clone());
        }
        self.list.retain(|scenario| scenario.left != Some(0));
        taken
    }

    pub(crate) fn list(&self) -> &[Scenario] {
        &self.list
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Ends one scenario; `false` when there is none with this id.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.list.len();
        self.list.retain(|scenario| scenario.id != id);
        self.list.len() < before
    }
}
