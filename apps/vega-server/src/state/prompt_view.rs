//! How open prompts look in JSON, with the words that the operator reads.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use vega_api_types::codes::PromptKind;
use vega_api_types::{PlanView, PromptView};
use vega_bootstrap::Settings;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::sign_in::{PromptKind as SecondFactorKind, WayBack};

use crate::state::prompt_queue::{OpenPrompt, PromptQueue, Question};

/// All open prompts, without links.
pub(crate) fn views_of(prompts: &PromptQueue, now: DateTime<Utc>, has_window: bool) -> Vec<PromptView> {
    let open = prompts.open();
    open.iter()
        .map(|open| view_of(open, now, has_window, false))
        .collect()
}

pub(crate) fn view_of(
    open: &OpenPrompt,
    now: DateTime<Utc>,
    has_window: bool,
    with_link: bool,
) -> PromptView {
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
            view.plan = Some(PlanView::from(&**plan));
        }
        Question::ConfirmAgain(plan) => {
            view.kind = PromptKind::ConfirmAgain;
            view.words = format!(
                "Nobody was at the desk before, so your yes is needed once more. Sign in for {} now?",
                plan.names()
            );
            view.plan = Some(PlanView::from(&**plan));
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
                WayBack::Callback if !link.redirect_uri.is_loopback() => {
                    "Open the link in a browser and sign in: the code comes back by itself. If it ends at an error page, paste the \
                     address of that."
                        .into()
                }
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

/// Whether the operator can see the browser that signs in. A remote one counts as visible.
pub(crate) fn has_window(settings: &Settings) -> bool {
    let browser = &settings.browser;
    browser.webdriver_url.is_some() || !browser.headless
}
