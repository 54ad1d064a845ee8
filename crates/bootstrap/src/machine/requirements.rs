//! Examines what a sign-in needs of this machine: the key, browser and driver, a free redirect port. `orchestration`
//! decides what follows from the result.

use async_trait::async_trait;
use vega_domain::account::RedirectUri;
use vega_domain::ports::{BrowserWindow, SignInRequirements, Unmet};
use vega_own_browser::prove_callback;
use vega_persistence::DataSource;

use crate::machine::browser;
use crate::machine::other_people;
use crate::settings::Settings;
use crate::settings::environment::Environment;

/// `SignInRequirements` of the machine that this process runs on.
pub(crate) struct MachineRequirements {
    pub(crate) settings: Settings,
    pub(crate) environment: Environment,
    pub(crate) data: DataSource,
}

#[async_trait]
impl SignInRequirements for MachineRequirements {
    fn key(&self) -> Result<(), Unmet> {
        Ok(self.data.prove_key()?)
    }

    async fn browser(&self) -> Result<BrowserWindow, Unmet> {
        browser::check(&self.settings, &self.environment).await?;
        if let Some(words) = other_people::warning() {
            tracing::warn!("{words}");
        }
        Ok(if self.settings.browser.headless {
            BrowserWindow::Headless
        } else {
            BrowserWindow::Shown
        })
    }

    async fn callback(&self, uri: &RedirectUri) -> Result<(), Unmet> {
        let proof = self.data.listener_proof();
        Ok(prove_callback(
            uri,
            &self.settings.server.place(&self.settings.database_url),
            proof.as_ref(),
        )
        .await?)
    }

    fn opens_links(&self) -> bool {
        self.settings.open_links
    }
}
