//! The accounts of an installation, and a choice among their APIs.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::account::{Account, Api};
use crate::ids::{AccountId, ApiName};
use crate::token::StoredToken;

/// Every account, in the order of the configuration, which is the order of signing in. A copy is cheap.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Indexed>);

#[derive(Debug)]
struct Indexed {
    accounts: Vec<Account>,
    /// Which account an API is of, and which of its APIs it is: thousands are looked for again and again.
    places: HashMap<ApiName, (usize, usize)>,
}

impl Accounts {
    /// Every API with its account.
    pub fn apis(&self) -> impl Iterator<Item = (&Account, &Api)> {
        let accounts = self.iter();
        accounts.flat_map(|account| account.apis.iter().map(move |api| (account, api)))
    }

    /// The API of this name, with its account.
    pub fn find(&self, name: &ApiName) -> Option<(&Account, &Api)> {
        let (account, api) = *self.0.places.get(name)?;
        let account = self.0.accounts.get(account)?;
        Some((account, account.apis.get(api)?))
    }

    /// The account whose analytics token is kept under this name.
    pub fn of_analytics(&self, name: &ApiName) -> Option<&Account> {
        if !name.is_of_analytics() {
            return None;
        }
        self.iter()
            .find(|account| ApiName::of_analytics(&account.id) == *name)
    }

    /// Whether tokens are kept under this name: that of an API, or of an account's analytics token.
    pub fn include(&self, name: &ApiName) -> bool {
        self.find(name).is_some() || self.of_analytics(name).is_some()
    }

    /// Whether this token is for an app and the person of its account, or for an account, as they are configured now.
    pub fn fit(&self, token: &StoredToken) -> bool {
        match self.find(&token.api) {
            Some((account, api)) => token.fits(account, api),
            None => self
                .of_analytics(&token.api)
                .is_some_and(|account| token.is_analytics_of(account)),
        }
    }

    /// The account of this name.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.iter().find(|account| account.id == *id)
    }

    /// Which of these APIs are configured.
    pub fn select(&self, apis: impl IntoIterator<Item = ApiName>) -> ApiSelection {
        let configured = apis.into_iter().filter(|api| self.find(api).is_some());
        ApiSelection::Only(configured.collect())
    }
}

impl Deref for Accounts {
    type Target = [Account];

    fn deref(&self) -> &[Account] {
        &self.0.accounts
    }
}

impl FromIterator<Account> for Accounts {
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        Self::from(accounts.into_iter().collect::<Vec<_>>())
    }
}

impl From<Vec<Account>> for Accounts {
    fn from(accounts: Vec<Account>) -> Self {
        let mut places = HashMap::new();
        for (number, account) in accounts.iter().enumerate() {
            for (index, api) in account.apis.iter().enumerate() {
                places.entry(api.name.clone()).or_insert((number, index));
            }
        }
        Self(Arc::new(Indexed { accounts, places }))
    }
}

/// Which APIs are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApiSelection {
    /// All that are configured.
    #[default]
    All,
    /// These, and no other; none if there is none.
    Only(Vec<ApiName>),
}

impl ApiSelection {
    /// As people name APIs: who names none means all.
    pub fn named(apis: Vec<ApiName>) -> Self {
        if apis.is_empty() {
            Self::All
        } else {
            Self::Only(apis)
        }
    }

    /// Whether it names no API at all.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(apis) if apis.is_empty())
    }

    /// Whether it is among them.
    pub fn includes(&self, api: &ApiName) -> bool {
        match self {
            Self::All => true,
            Self::Only(apis) => apis.contains(api),
        }
    }
}

impl Default for &ApiSelection {
    fn default() -> Self {
        &ApiSelection::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{RedirectUri, Route};
    use crate::ids::{ClientId, MobileNumber};
    use crate::secret::ClientSecret;

    fn name(name: &str) -> ApiName {
        ApiName::new(name).unwrap()
    }

    fn account(id: &str, apis: &[&str]) -> Account {
        let api = |api: &&str| Api {
            name: name(api),
            client_id: ClientId::new(format!("id-{api}")).unwrap(),
            client_secret: ClientSecret::new("secret"),
            redirect_uri: RedirectUri::new("http://localhost:28020/cb").unwrap(),
        };
        Account {
            id: AccountId::new(id).unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            user_id: None,
            route: Route::Webdriver,
            apis: apis.iter().map(api).collect(),
        }
    }

    fn accounts() -> Accounts {
        vec![account("first", &["A", "B"]), account("second", &["C"])].into()
    }

    #[test]
    fn an_api_is_found_with_its_account_in_the_order_of_the_configuration() {
        let accounts = accounts();
        let all: Vec<String> = accounts
            .apis()
            .map(|(account, api)| format!("{}/{}", account.id, api.name))
            .collect();
        assert_eq!(all, ["first/A", "first/B", "second/C"]);
        let (account, api) = accounts.find(&name("C")).unwrap();
        assert_eq!((account.id.as_str(), api.name.as_str()), ("second", "C"));
        assert!(accounts.find(&name("D")).is_none());
    }

    #[test]
    fn who_names_no_api_means_all_and_a_choice_of_none_is_none() {
        assert_eq!(ApiSelection::named(Vec::new()), ApiSelection::All);
        let some = ApiSelection::named(vec![name("C"), name("A")]);
        assert!(some.includes(&name("A")) && !some.includes(&name("B")));
        let none = accounts().select([name("GONE")]);
        assert_eq!(none, ApiSelection::Only(Vec::new()));
        assert!(!none.includes(&name("A")));
    }
}
