//! Parts of login pages, with the ids and words seen in public scripts (2023 to 2026), and with others.

/// The mobile screen as it is most often seen; `button` is "Get OTP" with its attributes.
pub(crate) fn mobile(number: &str, button: &str, more: &str) -> String {
    format!(
        "<h1>Let's get started</h1><form><span>+91</span>
         <input id=mobileNum type=tel maxlength=10 value='{number}'>{more}
         <button id=getOtp type=submit {button}>Get OTP</button></form>
         <h2>Login with QR code</h2>"
    )
}

pub(crate) const OTP: &str = "<h1>Verify your number</h1><form>
    <input id=otpNum placeholder='Enter OTP or TOTP' maxlength=7>
    <button type=button disabled>Resend OTP (0:38s)</button>
    <button id=continueBtn type=submit disabled>Continue</button></form>";

pub(crate) const PIN: &str = "<h1>Enter 6-digit PIN</h1><form><input id=pinCode type=password maxlength=6>
    <button id=pinContinueBtn type=submit disabled>Continue</button></form>";

/// Cloudflare's box as it stands on the mobile screen.
pub(crate) const TURNSTILE: &str = "<div class=cf-turnstile style='width:300px;height:65px'>
    <label><input type=checkbox> Verify you are human</label> <a href='#'>Having trouble?</a>
    <input type=hidden name=cf-turnstile-response></div>";

pub(crate) const TURNSTILE_IFRAME: &str =
    "<iframe width=300 height=65 src='https://challenges.cloudflare.com/turnstile/v0/x'></iframe>";

/// The box after the tick: it stays on the page.
pub(crate) const TURNSTILE_SOLVED: &str = "<div class=cf-turnstile style='width:300px;height:65px'>Success!
    <input type=hidden name=cf-turnstile-response value='0.answer'></div>";

/// One document in which all screens are, and one is shown.
pub(crate) fn one_of_three(shown: usize) -> String {
    let section = |at: usize, screen: &str| {
        let display = if at == shown { "block" } else { "none" };
        format!("<section style='display:{display}'>{screen}</section>")
    };
    [
        section(0, &mobile("", "disabled", "")),
        section(1, OTP),
        section(2, PIN),
    ]
    .concat()
}
