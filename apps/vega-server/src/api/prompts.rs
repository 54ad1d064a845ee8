//! What the human is asked, and their answers. An answer is written once, and neither repeated nor logged.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{PromptKind as SecondFactorKind, WayBack};

use crate::auth::middleware::Caller;
use crate::http::error_responses::{BodyRefused, Refused};
use crate::http::extract::{self, Body};
use crate::http::problem::{Code, Problem};
use crate::server::Server;
use crate::state::prompt_queue::{Desk, NotTaken, Open, Question, Said};
use crate::views::codes::PromptKind;
use crate::views::{PlanView, rfc3339_ist};

/// What the human is asked or told now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct PromptsView {
    v: u8,
    /// The oldest first; more than one where a challenge waits in the window beside a prompt, say.
    prompts: Vec<PromptView>,
}

impl PromptsView {
    pub(crate) fn of(prompts: Vec<PromptView>) -> Self {
        Self { v: 1, prompts }
    }
}

/// One thing that the human is asked or told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct PromptView {
    /// What an answer names it by.
    id: Uuid,
    kind: PromptKind,
    account: Option<String>,
    api: Option<String>,
    /// What to do, in words.
    words: String,
    /// When it is over.
    deadline: String,
    deadline_unix: i64,
    /// What a yes starts.
    plan: Option<PlanView>,
    /// Where to sign in, in a browser of the human's own. It is a secret: only the console's session gets it, and only where
    /// it asks for the prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Where that sign-in ends.
    redirect_uri: Option<String>,
    /// Why it does not come back by itself and must be pasted, if so.
    paste_only: Option<String>,
}

/// Everything that is asked now, without links.
pub(crate) fn open(desk: &Desk, now: DateTime<Utc>, has_window: bool) -> Vec<PromptView> {
    let open = desk.open();
    open.iter()
        .map(|open| view(open, now, has_window, false))
        .collect()
}

fn view(open: &Open, now: DateTime<Utc>, has_window: bool, with_link: bool) -> PromptView {
    let deadline = *open.deadline.get_or_init(|| {
        let left = open.until.saturating_duration_since(Instant::now());
        now + TimeDelta::from_std(left).unwrap_or_default()
    });
    let mut view = PromptView {
        id: open.id,
        kind: PromptKind::Confirm,
        account: None,
        api: None,
        words: String::new(),
        deadline: rfc3339_ist(deadline),
        deadline_unix: deadline.timestamp(),
        plan: None,
        link: None,
        redirect_uri: None,
        paste_only: None,
    };
    match &open.question {
        Question::Confirm(plan) => {
            view.words = format!("Sign in for {} now?", plan.names());
            view.plan = Some(PlanView::of(plan));
        }
        Question::ConfirmAgain(plan) => {
            view.kind = PromptKind::ConfirmAgain;
            view.words = format!(
                "Nobody was at the desk before, so your yes is needed once more. Sign in for {} now?",
                plan.names()
            );
            view.plan = Some(PlanView::of(plan));
        }
        Question::SecondFactor(prompt) => {
            view.kind = match prompt.kind {
                SecondFactorKind::Otp => PromptKind::Otp,
                SecondFactorKind::Pin => PromptKind::Pin,
            };
            view.account = Some(prompt.account.to_string());
            view.api = Some(prompt.api.to_string());
            let kind = prompt.kind.as_str();
            view.words = if has_window {
                format!("Type the {kind} in the browser window on the desk, or here.")
            } else {
                format!("Type the {kind} here: Vega's browser shows no window.")
            };
        }
        Question::Link(link) => {
            view.kind = PromptKind::Link;
            view.account = Some(link.account.to_string());
            view.api = Some(link.api.to_string());
            view.words = match &link.way_back {
                WayBack::Callback => {
                    "Open the link in a browser on this machine and sign in. If it ends at another machine, paste the \
                     address at which it ended."
                        .into()
                }
                WayBack::PasteOnly { .. } => {
                    "Open the link in a browser and sign in, then paste the address at which it ended.".into()
                }
            };
            view.link = with_link.then(|| link.link.expose().to_owned());
            view.redirect_uri = Some(link.redirect_uri.to_string());
            view.paste_only = match &link.way_back {
                WayBack::Callback => None,
                WayBack::PasteOnly { why } => Some(why.clone()),
            };
        }
        Question::Task(task) => {
            view.kind = PromptKind::Window;
            view.account = Some(task.account.to_string());
            view.api = Some(task.api.to_string());
            view.words = task.notice.to_string();
            if !has_window {
                view.words.push_str(
                    " But Vega's browser shows no window (`browser.headless`), so nobody can. Cancel the run, set it to \
                     false, start the server again and generate.",
                );
            }
        }
    }
    view
}

/// Whether the human can see the browser that signs in. One that runs elsewhere is taken to be seen.
pub(crate) fn has_window(server: &Server) -> bool {
    let browser = &server.vega.settings.browser;
    browser.webdriver_url.is_some() || !browser.headless
}

/// What the human is asked now, and until when.
#[utoipa::path(get, path = "/api/v1/runs/{id}/prompt", operation_id = "getPrompt", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The open questions", body = PromptsView),
        (status = 404, description = "There is no such run", body = Problem, content_type = "application/problem+json"),
        Refused))]
pub(crate) async fn prompt(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<PromptsView>, Problem> {
    let request = server.requests.find(extract::id(&id)?);
    let request =
        request.ok_or_else(|| Problem::new(Code::NoRun, "No run that was asked for here has this id."))?;
    let (now, has_window) = (server.vega.clock.now(), has_window(&server));
    let with_link = matches!(caller, Caller::Console(..));
    let open = if request.is_over() {
        Vec::new()
    } else {
        server.desk.open()
    };
    let prompts = open.iter().map(|open| view(open, now, has_window, with_link));
    Ok(Json(PromptsView::of(prompts.collect())))
}

/// The human's answer.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AnswerBody {
    /// To a plan.
    Confirm {
        /// Which question.
        prompt: Uuid,
        /// Whether to carry it out.
        yes: bool,
    },
    /// The OTP, as an alternative to typing it in the window.
    Otp {
        /// Which question.
        prompt: Uuid,
        /// Its six digits; blanks and dashes between them are no part of it.
        #[schema(min_length = 6, max_length = 64)]
        otp: String,
    },
    /// The PIN, as an alternative to typing it in the window.
    Pin {
        /// Which question.
        prompt: Uuid,
        /// Its six digits; blanks and dashes between them are no part of it.
        #[schema(min_length = 6, max_length = 64)]
        pin: String,
    },
    /// The address at which the sign-in ended, from the browser's address bar.
    Address {
        /// Which question.
        prompt: Uuid,
        /// All of it.
        #[schema(max_length = 4096)]
        address: String,
    },
}

impl AnswerBody {
    fn said(self) -> Result<(Uuid, Said), Problem> {
        // What is refused here leaves the question open, with the time that it has.
        let factor = |kind: SecondFactorKind, text: String| -> Result<Said, Problem> {
            let factor = SecondFactor::read(kind, &text);
            let factor = factor.map_err(|problem| {
                let words = format!("{problem}. It was not sent to Upstox and is no try: answer again.");
                Problem::new(Code::WrongBody, words)
            });
            Ok(Said::SecondFactor(kind, factor?))
        };
        Ok(match self {
            Self::Confirm { prompt, yes: true } => (prompt, Said::Yes),
            Self::Confirm { prompt, yes: false } => (prompt, Said::No),
            Self::Otp { prompt, otp } => (prompt, factor(SecondFactorKind::Otp, otp)?),
            Self::Pin { prompt, pin } => (prompt, factor(SecondFactorKind::Pin, pin)?),
            Self::Address { prompt, address } => (prompt, Said::Address(RedirectAddress::new(address))),
        })
    }
}

/// Answers a question. The first answer counts; it is never repeated or logged.
#[utoipa::path(post, path = "/api/v1/runs/{id}/answers", operation_id = "answer", tag = "runs",
    params(("id" = String, Path, description = "The run")), request_body = AnswerBody,
    responses((status = 204, description = "It was passed on"),
        (status = 404, description = "There is no such run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The question is not open, or another one", body = Problem,
            content_type = "application/problem+json"),
        Refused, BodyRefused))]
pub(crate) async fn answer(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(body): Body<AnswerBody>,
) -> Result<StatusCode, Problem> {
    let request = server.requests.find(extract::id(&id)?);
    let request =
        request.ok_or_else(|| Problem::new(Code::NoRun, "No run that was asked for here has this id."))?;
    let (prompt, said) = body.said()?;
    if request.is_over() {
        return Err(Problem::new(
            Code::RunOver,
            "The run is over: nothing is asked any more.",
        ));
    }
    match server.desk.answer(prompt, said, caller.words()) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NotTaken::Gone) => Err(Problem::new(
            Code::PromptGone,
            "This question was answered, ran out, or the sign-in went on without it. See the run's prompt.",
        )),
        Err(NotTaken::DoesNotFit) => Err(Problem::new(
            Code::AnswerDoesNotFit,
            "The question is of another kind. See the run's prompt.",
        )),
    }
}
