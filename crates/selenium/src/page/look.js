// Looks at the login page once and says what is on it. Reads no secret: of the OTP and PIN boxes, and of a challenge's
// answer, only whether they are empty or complete.
ear.seen = ear.changes;
const field = (name) => {
  const found = find(name);
  return found && { selector: found.selector, empty: !holdsSomething(boxesOf(name)) };
};
const button = (name) => {
  const found = find(name);
  return found && { selector: found.selector, enabled: !found.element.disabled };
};
const areaOf = (frame) => frame.clientWidth * frame.clientHeight;
// Frames large enough to hold a form or words, the largest first, by their number; without those of a challenge.
const framesNow = () =>
  all("iframe, frame")
    .filter((frame) => !frame.matches(selectors.challenge.join(",")))
    .filter((frame) => frame.clientWidth >= 100 && frame.clientHeight >= 20)
    .sort((one, other) => areaOf(other) - areaOf(one))
    .map((frame) => [...Array(window.length).keys()].find((at) => window[at] === frame.contentWindow))
    .filter((at) => at !== undefined);
const isBrowsersOwn = document.URL.startsWith("chrome-error:");
// The code on the browser's own error page: in every language it stands beside the words, or in the page's data alone.
const codeOf = (text) => /\b(?:ERR|DNS_PROBE)_[A-Z0-9_]+|HTTP ERROR \d{3}/.exec(text)?.[0];
const browsersCode = () => {
  if (!isBrowsersOwn) return "";
  const shown = [...document.querySelectorAll("#error-code, .error-code")].map((one) => one.textContent);
  const data = typeof loadTimeDataRaw === "object" ? loadTimeDataRaw?.errorCode : "";
  return [...shown, data ?? "", document.body?.innerText ?? ""].map(codeOf).find(Boolean) ?? "";
};
const way = performance.getEntriesByType("navigation")[0];

const text = (document.body ? document.body.innerText : "").slice(0, 4000);
const number = find("mobile");
const code = /"error_?[cC]ode"\s*:\s*"(UDAPI\d+)"/.exec(text);
const message = /"message"\s*:\s*"([^"]{0,200})"/.exec(text);
// A question mark makes it a heading of help, not a verdict.
const verdict = /^(your )?account (is|has been)( \w+)? (blocked|locked|suspended)\b[^?]*$/i;
const alerts = alertsSinceTheLastLook();
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
  challenge: challengeNow(text),
  consent: all("button, input[type=submit]").some((element) =>
    /^(allow|authori[sz]e)$/i.test((element.innerText || element.value || "").trim()),
  ),
  alerts,
  locked:
    all("h1, h2, h3, [role=heading]")
      .map((heading) => heading.innerText.trim())
      .find((words) => verdict.test(words)) ?? null,
  document: ear.id,
  arrived_by_itself: way?.type === "navigate" || ear.reloadedItself,
  came_after: ear.cameAfter?.form ?? null,
  came_after_ms: ear.cameAfter ? Math.max(0, Date.now() - ear.cameAfter.at) : 0,
  entry: entryNow(),
  retyped: retypedSinceTheLastLook(),
  busy: document.readyState === "loading" || busyNow(),
  lines: linesNow(),
  frames: framesNow(),
  answer: {
    host: location.protocol.startsWith("http") ? location.host : "",
    path: location.pathname.slice(0, 200),
    status: way?.responseStatus ?? 0,
    kind: document.contentType,
    title: document.title.slice(0, 200),
    text: text.slice(0, 300),
    complete: document.readyState === "complete",
    browsers_code: browsersCode(),
    bare: text.trim() === "" && document.querySelector("body *, script, head link") === null,
  },
  error: code && { code: code[1], message: message ? message[1] : "" },
  unreachable: isBrowsersOwn,
  blocked: /error( code:)? 10(10|20)|checking your browser|access denied|sorry, you have been blocked/i.test(text),
};
