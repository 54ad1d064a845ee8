//! The two ways of signing in, behind one port: each account uses its own route.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::account::{Account, Route};
use vega_domain::failure::Failure;
use vega_domain::ports::{AuditTrail, Clock, CodeDelivery, EventSink, ListenerProof, SignIn, SignInSession};
use vega_own_browser::{OwnBrowser, OwnBrowserSettings};
use vega_selenium::OAuthLoginAutomation;

use crate::machine::browser;
use crate::settings::Settings;
use crate::settings::environment::Environment;

/// Opens an account's session for the account's route.
pub(crate) struct Routes {
    webdriver: OAuthLoginAutomation,
    own_browser: OwnBrowser,
}

impl Routes {
    /// Looks in `codes` for codes that came back, and records refused redirects in the audit trail.
    pub(crate) fn new(
        settings: &Settings,
        environment: &Environment,
        (codes, audit): (&Arc<dyn CodeDelivery>, Arc<dyn AuditTrail>),
        proof: Arc<dyn ListenerProof>,
        events: &Arc<dyn EventSink>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let own_browser = OwnBrowserSettings {
            authorize_base: settings.api_base_url.clone(),
            human_timeout: settings.human_timeout,
            open_links: settings.open_links,
            server: settings.server.place(&settings.database_url),
            environment: environment.for_children(),
        };
        Self {
            webdriver: OAuthLoginAutomation::new(
                browser::browser_settings(settings, environment),
                Arc::clone(&audit),
                Arc::clone(events),
                Arc::clone(clock),
            ),
            own_browser: OwnBrowser::new(
                own_browser,
                Arc::clone(codes),
                audit,
                proof,
                Arc::clone(events),
                Arc::clone(clock),
            ),
        }
    }
}

#[async_trait]
impl SignIn for Routes {
    async fn open(&self, account: &Account) -> Result<Box<dyn SignInSession>, Failure> {
        match account.route {
            Route::Webdriver => self.webdriver.open(account).await,
            Route::OwnBrowser => self.own_browser.open(account).await,
        }
    }
}
