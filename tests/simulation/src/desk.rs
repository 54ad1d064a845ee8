//! Which accounts, APIs and machines a desk has: drawn anew for each desk.

use std::time::Duration;

use anyhow::Result;
use vega_domain::account::{Account, Api, RedirectUri, Route};
use vega_domain::accounts::Accounts;
use vega_domain::ids::{AccountId, ApiName, ClientId, MobileNumber, UserId};
use vega_domain::secret::ClientSecret;
use vega_domain::sign_in::OtpBudget;

use crate::seeded_rng::SeededRng;
use crate::upstox::user_of;

/// How long an account cools down.
pub(crate) const COOLDOWN: Duration = Duration::from_mins(11);

pub(crate) const BUDGET: OtpBudget = OtpBudget {
    presses: 4,
    window: Duration::from_mins(11),
};

const NAMES: [&str; 6] = [
    "PRIMARY",
    "WEBSOCKET1",
    "WEBSOCKET2",
    "WEBSOCKET3",
    "OPTIONCHAIN1",
    "OPTIONCHAIN2",
];

/// How many machines: one, or two that share a database.
pub(crate) fn machines(rng: &SeededRng) -> usize {
    if rng.permille(500) { 2 } else { 1 }
}

/// One to three accounts with six APIs at most.
pub(crate) fn draw(rng: &SeededRng) -> Result<Accounts> {
    let accounts = rng.between(1..=3);
    let apis = rng.between(accounts..=6) as usize;
    let mut names: Vec<Vec<&str>> = vec![Vec::new(); accounts as usize];
    for (index, name) in NAMES.into_iter().take(apis).enumerate() {
        // Each account has one; the others are dealt.
        let whose = if index < names.len() {
            index
        } else {
            rng.between(1..=accounts) as usize - 1
        };
        names[whose].push(name);
    }
    let accounts = (1..)
        .zip(names)
        .map(|(number, names)| account(rng, number, &names));
    accounts.collect()
}

fn account(rng: &SeededRng, number: u32, names: &[&str]) -> Result<Account> {
    let user = UserId::new(user_of(number))?;
    let apis = names.iter().map(|name| {
        Ok(Api {
            name: ApiName::new(*name)?,
            client_id: ClientId::new(format!("key-{name}"))?,
            client_secret: ClientSecret::new("CANARY-client-secret"),
            redirect_uri: RedirectUri::new("http://localhost:28020/cb")?,
        })
    });
    Ok(Account {
        id: AccountId::new(format!("account-{number}"))?,
        mobile_number: MobileNumber::new(format!("900000000{number}"))?,
        user_id: rng.permille(500).then_some(user),
        route: if rng.permille(300) {
            Route::OwnBrowser
        } else {
            Route::Webdriver
        },
        apis: apis.collect::<Result<_>>()?,
    })
}
