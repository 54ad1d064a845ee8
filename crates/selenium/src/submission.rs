//! Recognises that the page refuses an entry, whatever its text is, and whether Vega or the human submitted. Either of
//! two signs is enough: the page gives the same form back (emptied, or marked as wrong, in the same document or in a
//! new one), or lines that were not there before the submit say so. A page that is still busy with the entry is waited
//! for. Pure, like the flow.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::Screen;

use crate::page_snapshot::{Form, PageSnapshot};
use crate::redaction::without_numbers;
use crate::verdict;

/// After this time a form that came back is taken for the answer.
const SETTLES: Duration = Duration::from_millis(1500);
/// How many characters of the page's new text are reported.
const TOLD: usize = 250;

/// The progress of an entry.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was typed.
    #[default]
    Empty,
    /// The box held something when it was last seen in this document.
    Typed,
    /// Submitted.
    Sent,
    /// Submitted, and the form is shown in a new document.
    CameAnew,
    /// The entry was refused, and nothing was typed since.
    Answered,
}

impl Stage {
    fn of(empty: bool) -> Self {
        if empty { Self::Empty } else { Self::Typed }
    }

    fn is_sent(self) -> bool {
        matches!(self, Self::Sent | Self::CameAnew)
    }
}

/// The form that is or was shown last, and the state of its entry.
#[derive(Debug, Default)]
pub(crate) struct Submission {
    form: Option<Form>,
    document: String,
    stage: Stage,
    /// The lines of the page before the submit.
    before: HashSet<String>,
    /// The lines that the page added since, in their order.
    news: Vec<String>,
    since: Option<Instant>,
    /// The document in which an earlier form appeared, and the form that had been submitted; `None` if it was reported.
    sent_back: Option<(String, Form)>,
    /// The one that was reported.
    told: Option<(String, Form)>,
}

impl Submission {
    /// Notes that the form was submitted, by Vega or by a press of the human that Vega knows of.
    pub(crate) fn made(&mut self) {
        self.stage = Stage::Sent;
    }

    /// Notes that the refusal was reported. It stays on the page until somebody types again.
    pub(crate) fn answered(&mut self) {
        self.stage = Stage::Answered;
        if let Some(sent_back) = self.sent_back.take() {
            self.told = Some(sent_back);
        }
    }

    /// The form that is being answered, or that was submitted last.
    pub(crate) fn form(&self) -> Option<Form> {
        self.form
    }

    /// Whether the form came back in another document, or an earlier form came back, and its meaning is still unknown.
    pub(crate) fn is_awaited(&self) -> bool {
        self.sent_back.is_some() || self.stage == Stage::CameAnew
    }

    /// Whether the entry of the form was not submitted, as far as can be seen.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self.stage, Stage::Empty | Stage::Typed)
    }

    /// Notes that the redirect came: the entry was right.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The text that the page added since the submit, for a failure that has no text of its own; refusing lines come
    /// first.
    pub(crate) fn words(&self) -> String {
        let screen = self.form.map_or(Screen::Unknown, Form::screen);
        let mut lines: Vec<&str> = self.news.iter().map(String::as_str).collect();
        lines.sort_by_key(|line| verdict::refusal(line, screen).is_none());
        let words = without_numbers(&lines.join(" "));
        words.chars().take(TOLD).collect()
    }

    /// The failure where something was submitted and the page answered with a text that Vega does not understand, or
    /// with the empty form.
    pub(crate) fn stays_unanswered(&self, seen: &PageSnapshot) -> Option<Failure> {
        let (form, _) = seen.form()?;
        let given_back =
            self.stage == Stage::CameAnew || seen.entry.is_some_and(|entry| entry.form == form && entry.back);
        let is_refused =
            self.stage.is_sent() && self.form == Some(form) && (given_back || !self.news.is_empty());
        is_refused.then(|| self.failure(verdict::of_form(form.screen())))
    }

    /// The refusal that a look shows, in an attempt that began at `began`.
    pub(crate) fn judge(&mut self, seen: &PageSnapshot, began: Instant, now: Instant) -> Option<Failure> {
        if seen.screen() == Screen::Consent {
            self.forget();
            return None;
        }
        // The browser's own page, or somebody else's, is nobody's answer to what was submitted.
        if seen.unreachable || seen.foreign || seen.blocked {
            return None;
        }
        let Some((form, empty)) = seen.form() else {
            return self.judge_without_form(seen, now);
        };
        let came_after = seen.came_after(now - began);
        if let Some(sent) = self.sent_back_from(form, came_after, seen) {
            return self.judge_sent_back(sent, seen, now);
        }
        self.sent_back = None;
        if self.form != Some(form) {
            self.begin(form, empty, seen);
            // It was typed and submitted between two looks, perhaps given back. The mobile number is Vega's to type.
            if came_after == Some(form) && form != Form::Mobile && seen.arrived_by_itself {
                self.stage = Stage::CameAnew;
                self.before.clear();
            } else if seen.entry.is_some_and(|entry| entry.form == form && entry.sent) {
                self.stage = Stage::Sent;
            }
            return None;
        }
        if self.stage == Stage::Answered {
            let is_new = self.document != seen.document || seen.retyped == Some(form) || !empty;
            if is_new && !seen.entry.is_some_and(|entry| entry.back) {
                self.begin(form, empty, seen);
            }
            return None;
        }
        if self.document != seen.document {
            self.move_on(form, came_after, seen);
        }
        let came_anew = self.stage == Stage::CameAnew;
        let retyped = seen.retyped == Some(form) || (came_anew && !empty && form != Form::Mobile);
        let entry = seen.entry.filter(|entry| entry.form == form);
        let was_sent = self.stage.is_sent();
        if !was_sent && !retyped && !entry.is_some_and(|entry| entry.sent) {
            self.before = normalised(&seen.lines).collect();
            self.stage = Stage::of(empty);
            return None;
        }
        if !was_sent {
            self.stage = Stage::Sent;
        }
        self.hear(seen);
        if form == Form::Otp && verdict::says_that_an_otp_was_sent(&self.news) && self.said(form).is_none() {
            self.begin(form, empty, seen);
            return None;
        }
        let is_edited = was_sent && !came_anew && !empty && entry.is_some_and(|entry| !entry.sent);
        let is_back = retyped || came_anew || entry.is_some_and(|entry| entry.back);
        let said = self.said(form);
        if !is_back && said.is_none() {
            self.since = None;
            if is_edited && form != Form::Mobile {
                self.begin(form, empty, seen);
            }
            return None;
        }
        let settled = self.has_settled(seen, now);
        // Whoever types again has seen the answer.
        let answered = retyped || is_edited || settled;
        answered.then(|| self.failure(said.unwrap_or_else(|| verdict::of_form(form.screen()))))
    }

    /// The form that was submitted, if the page answered with an earlier form and nobody requested that one.
    fn sent_back_from(&self, form: Form, came_after: Option<Form>, seen: &PageSnapshot) -> Option<Form> {
        let is_here = self.document == seen.document;
        let submitted = self.form.filter(|_| self.stage.is_sent() && !is_here);
        let sent = came_after
            .or(submitted)
            .filter(|sent| sent.place() > form.place())?;
        let is_told = self.told.as_ref() == Some(&(seen.document.clone(), sent));
        (!is_told && (is_here || seen.arrived_by_itself)).then_some(sent)
    }

    fn judge_sent_back(&mut self, sent: Form, seen: &PageSnapshot, now: Instant) -> Option<Failure> {
        let this = (seen.document.clone(), sent);
        if self.sent_back.as_ref() != Some(&this) {
            self.sent_back = Some(this);
            self.since = None;
        }
        self.form = Some(sent);
        self.hear(seen);
        let said = self.said(sent);
        self.has_settled(seen, now)
            .then(|| self.failure(said.unwrap_or_else(|| verdict::of_form(sent.screen()))))
    }

    /// After a submit the page may refuse without showing a form.
    fn judge_without_form(&mut self, seen: &PageSnapshot, now: Instant) -> Option<Failure> {
        let form = self.form.filter(|_| {
            self.stage.is_sent() || (self.stage == Stage::Typed && self.document != seen.document)
        })?;
        self.hear(seen);
        let said = self.said(form)?;
        self.has_settled(seen, now).then(|| self.failure(said))
    }

    fn begin(&mut self, form: Form, empty: bool, seen: &PageSnapshot) {
        *self = Self {
            form: Some(form),
            document: seen.document.clone(),
            stage: Stage::of(empty),
            before: normalised(&seen.lines).collect(),
            told: self.told.take(),
            ..Self::default()
        };
    }

    /// Handles the same form in another document: it is the answer, unless somebody reloaded the page or went back.
    fn move_on(&mut self, form: Form, came_after: Option<Form>, seen: &PageSnapshot) {
        // The mobile number is typed by Vega, and a page may begin anew before anybody pressed.
        let submitted = self.stage.is_sent()
            || came_after == Some(form)
            || (self.stage == Stage::Typed && form != Form::Mobile);
        self.document.clone_from(&seen.document);
        if submitted && seen.arrived_by_itself {
            self.stage = Stage::CameAnew;
        } else if !seen.arrived_by_itself {
            let empty = seen.form().is_none_or(|(_, empty)| empty);
            self.begin(form, empty, seen);
        }
        self.since = None;
    }

    fn hear(&mut self, seen: &PageSnapshot) {
        for line in &seen.lines {
            let is_new = !self.before.contains(&normal(line)) && !self.news.contains(line);
            if is_new && self.news.len() < 30 {
                self.news.push(line.clone());
            }
        }
    }

    fn said(&self, form: Form) -> Option<FailureReason> {
        verdict::of_lines(&self.news, form.screen())
    }

    fn has_settled(&mut self, seen: &PageSnapshot, now: Instant) -> bool {
        if seen.busy || verdict::says_that_it_works(&seen.lines) && verdict::says_that_it_works(&self.news) {
            self.since = None;
            return false;
        }
        now - *self.since.get_or_insert(now) >= SETTLES
    }

    fn failure(&self, reason: FailureReason) -> Failure {
        let words = self.words();
        if words.is_empty() {
            Failure::new(reason, "the page asks for it again, without a word")
        } else {
            Failure::new(reason, words)
        }
    }
}

/// The line without its numbers: a countdown changes them and means the same.
fn normal(line: &str) -> String {
    let mut normal = String::with_capacity(line.len());
    for c in line.chars() {
        if !c.is_ascii_digit() {
            normal.push(c);
        } else if !normal.ends_with('#') {
            normal.push('#');
        }
    }
    normal
}

fn normalised(lines: &[String]) -> impl Iterator<Item = String> {
    lines.iter().map(|line| normal(line))
}
