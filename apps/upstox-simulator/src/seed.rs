//! What a simulator starts with: accounts and their apps. `Seed::six_apps` is the demo's: one account, six apps.

use std::collections::HashSet;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// Everything a simulator knows when it starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The customers of the simulated broker.
    pub accounts: Vec<SeedAccount>,
}

/// One customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedAccount {
    /// The name the control paths use, for example `default`.
    pub name: String,
    /// Ten digits.
    pub mobile: String,
    /// Six digits.
    pub pin: String,
    /// The shared secret of the authenticator app in base32, if TOTP is on.
    #[serde(default)]
    pub totp_secret: Option<String>,
    /// The broker's name of the customer, for example `AB1234`.
    pub user_id: String,
    /// The developer apps of this customer.
    pub apps: Vec<SeedApp>,
}

/// One developer app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedApp {
    /// The name that scenarios and counters use.
    pub name: String,
    /// The API key.
    pub client_id: String,
    /// The API secret.
    pub client_secret: String,
    /// The registered redirect URI, compared byte by byte.
    pub redirect_uri: String,
}

impl Seed {
    /// One account named `default` with six apps that share one redirect URI on `localhost:28020`.
    pub fn six_apps() -> Seed {
        let names = [
            "PRIMARY",
            "WEBSOCKET1",
            "WEBSOCKET2",
            "WEBSOCKET3",
            "OPTIONCHAIN1",
            "OPTIONCHAIN2",
        ];
        let apps = (1..)
            .zip(names)
            .map(|(number, name)| SeedApp {
                name: name.to_owned(),
                client_id: format!("{number}0000000-aaaa-4bbb-8ccc-00000000000{number}"),
                client_secret: format!("s{number}mulated{number}"),
                redirect_uri: "http://localhost:28020/api/v1/auth/upstox/callback".to_owned(),
            })
            .collect();
        Seed {
            accounts: vec![SeedAccount {
                name: "default".to_owned(),
                mobile: "9000000001".to_owned(),
                pin: "246810".to_owned(),
                totp_secret: Some("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned()),
                user_id: "AB1234".to_owned(),
                apps,
            }],
        }
    }

    /// Refuses a seed that no broker could hold.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (mut names, mut mobiles, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
        for account in &self.accounts {
            let name = &account.name;
            ensure!(names.insert(name), "two accounts are named {name}");
            ensure!(
                is_digits(&account.mobile, 10),
                "the mobile of {name} is not ten digits"
            );
            ensure!(
                mobiles.insert(&account.mobile),
                "the mobile of {name} belongs to another account"
            );
            ensure!(is_digits(&account.pin, 6), "the PIN of {name} is not six digits");
            if let Some(secret) = &account.totp_secret {
                ensure!(
                    crate::totp::is_secret(secret),
                    "the TOTP secret of {name} is not base32"
                );
            }
            for app in &account.apps {
                ensure!(
                    keys.insert(&app.client_id),
                    "two apps share the client id {}",
                    app.client_id
                );
            }
        }
        Ok(())
    }
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}
