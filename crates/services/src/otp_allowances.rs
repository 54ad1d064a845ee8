//! How many "Get OTP" presses accounts have left, by the ledger and the budget.

use vega_domain::account::Account;
use vega_domain::clock_reading::ClockReading;
use vega_domain::ports::{OtpLedger, StoreError};
use vega_domain::sign_in::{OtpAllowance, OtpBudget};

/// How many each of the accounts has now, in their order.
pub async fn otp_allowances(
    ledger: &dyn OtpLedger,
    budget: OtpBudget,
    accounts: impl IntoIterator<Item = &Account>,
    now: &ClockReading,
) -> Result<Vec<OtpAllowance>, StoreError> {
    let mobiles = accounts.into_iter().map(|account| account.mobile_number.clone());
    let presses = ledger
        .otp_presses(&mobiles.collect::<Vec<_>>(), budget.presses)
        .await?;
    Ok(presses
        .iter()
        .map(|presses| budget.allowance(presses, now))
        .collect())
}
