// Looks at the login page once and says what is on it. Reads no secret: of the OTP and PIN boxes only whether they are
// empty. Arguments: selector lists by name, the mobile number to compare with.
const [selectors, mobile] = arguments;
const shown = (element) => {
  if (!element || element.getClientRects().length === 0) return false;
  const style = getComputedStyle(element);
  return style.visibility !== "hidden" && style.opacity !== "0";
};
const find = (name) => {
  for (const selector of selectors[name]) {
    for (const element of document.querySelectorAll(selector)) {
      if (shown(element)) return { element, selector };
    }
  }
  return null;
};
const field = (name) => {
  const found = find(name);
  return found && { selector: found.selector, empty: found.element.value === "" };
};
const button = (name) => {
  const found = find(name);
  return found && { selector: found.selector, enabled: !found.element.disabled };
};
const text = (document.body ? document.body.innerText : "").slice(0, 4000);
const number = find("mobile");
const code = /"error_?[cC]ode"\s*:\s*"(UDAPI\d+)"/.exec(text);
const message = /"message"\s*:\s*"([^"]{0,200})"/.exec(text);
const buttons = [...document.querySelectorAll("button, input[type=submit]")].filter(shown);
return {
  mobile: number && {
    selector: number.selector,
    empty: number.element.value === "",
    matches: number.element.value.replace(/\D/g, "") === mobile,
  },
  get_otp: button("get_otp"),
  otp: field("otp"),
  otp_continue: button("otp_continue"),
  pin: field("pin"),
  pin_continue: button("pin_continue"),
  challenge: find("challenge") !== null || /verify you are human/i.test(text),
  consent: buttons.some((b) => /^(allow|authori[sz]e)$/i.test((b.innerText || b.value || "").trim())),
  alerts: [...document.querySelectorAll(selectors.alert.join(","))]
    .filter(shown)
    .map((alert) => alert.innerText.trim().slice(0, 200))
    .filter((words) => words !== ""),
  error: code && { code: code[1], message: message ? message[1] : "" },
  unreachable: document.URL.startsWith("chrome-error:"),
  blocked: /error( code:)? 10(10|20)|checking your browser|access denied/i.test(text),
};
