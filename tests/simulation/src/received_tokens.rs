//! Checks that a token which a process received is not lost, and that none is erased that is alive. What is on record of a sign-in
//! counts, and what the spool of the process's machine keeps.

use chrono::TimeDelta;
use vega_domain::account::Account;
use vega_domain::failure::FailureReason;
use vega_domain::ids::ApiName;
use vega_domain::sign_in::AttemptState;
use vega_testing::memory_store::AttemptRow;

use crate::locked::locked;
use crate::process::Process;
use crate::rules::Rule;
use crate::upstox::Issued;
use crate::world::World;

impl World {
    /// Nothing that a living process received is gone.
    pub(crate) fn check_received(&self, process: &Process) {
        for (text, _) in locked(&process.received).drain(..) {
            let issued = self.upstox.books().token(&text).cloned();
            // One that Vega logged out is not to be kept, nor is another person's, also where that could not be said.
            let is_to_be_kept = |issued: &Issued| !issued.is_logged_out && !self.is_a_strangers(issued);
            let Some(issued) = issued.filter(is_to_be_kept) else {
                continue;
            };
            let is_in_memory = locked(&process.in_memory)
                .iter()
                .any(|(api, _)| self.client_of(api).is_some_and(|client| client == issued.client));
            let told = self.disk.read(|tables| {
                let mut attempts = tables.attempts.iter();
                let row = attempts.find(|row| row.new.state.expose() == issued.state);
                let reason = |row: &AttemptRow| row.failure.as_ref().map(|failure| failure.reason);
                row.is_some_and(|row| match row.state {
                    AttemptState::Answered | AttemptState::Stored => true,
                    // Whoever cleared up did not know that there was an answer.
                    AttemptState::Closed => reason(row) != Some(FailureReason::OutcomeUnknown),
                    _ => false,
                })
            });
            let told = told || self.truth(|truth| truth.late.contains(&issued.state));
            let is_answer_kept = self.disk.read_at(process.machine.number, |tables| {
                let mut apis = tables.spool.answers.keys();
                apis.any(|api| self.client_of(api).is_some_and(|client| client == issued.client))
            });
            if !told && !is_in_memory && !is_answer_kept && !self.disk.has_token(&text) {
                let words = format!("P{} had one of {}", process.number, issued.client);
                self.broken(Rule::TokenDropped, &words);
            }
        }
    }

    /// Nothing is erased that Upstox would still take, and that is not dead for long by what is on record of it.
    pub(crate) fn check_erased(&self) {
        let truth = self.time.truth();
        for token in self.disk.erased_after(truth - TimeDelta::days(1)) {
            let books = self.upstox.books();
            let issued = books.token(token.access_token.expose());
            let is_alive = issued.is_some_and(|issued| issued.is_alive(truth));
            drop(books);
            if is_alive {
                self.broken(Rule::ErasedLiving, &format!("of {}", token.api));
            }
        }
    }

    /// Whether somebody else signed in than the account's owner.
    fn is_a_strangers(&self, issued: &Issued) -> bool {
        let of_the_app = |account: &&Account| {
            account
                .apis
                .iter()
                .any(|api| *api.client_id.as_str() == issued.client)
        };
        let Some(account) = self.accounts.iter().find(of_the_app) else {
            return false;
        };
        let books = self.upstox.books();
        let login = books.logins.get(account.mobile_number.digits());
        login.is_some_and(|login| login.user != issued.user)
    }

    fn client_of(&self, api: &ApiName) -> Option<&str> {
        let found = self.accounts.find(api);
        found.map(|(_, known)| known.client_id.as_str())
    }
}
