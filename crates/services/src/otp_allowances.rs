//! How many "Get OTP" presses an account has left, by the ledger and the budget.

use vega_domain::account::Account;
use vega_domain::clock_reading::ClockReading;
use vega_domain::ports::{OtpLedger, StoreError};
use vega_domain::sign_in::{OtpAllowance, OtpBudget};

/// How many the account has now.
pub async fn otp_allowance(
    ledger: &dyn OtpLedger,
    budget: OtpBudget,
    account: &Account,
    now: &ClockReading,
) -> Result<OtpAllowance, StoreError> {
    let presses = ledger.otp_presses(&account.mobile_number, budget.presses).await?;
    Ok(budget.allowance(&presses, now))
}
