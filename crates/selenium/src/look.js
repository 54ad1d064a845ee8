// Looks at the login page once and says what is on it. Reads no secret: of the OTP and PIN boxes, and of a challenge's
// answer, only whether they are empty. Arguments: selector lists by name, the mobile number to compare with.
const [selectors, mobile] = arguments;
const laidOut = (element) =>
  element.getClientRects().length > 0 && getComputedStyle(element).visibility !== "hidden";
const transparent = (element) => getComputedStyle(element).opacity === "0";
const shown = (element) => laidOut(element) && !transparent(element);
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
const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);

// An alert may live for less than the time between two looks. So each document gets one observer, which keeps the words
// of every alert with the form it came on: the page may have gone on when they are reported.
const ear = (document.vegaEar ??= listen());
function listen() {
  const heard = { form: null, news: [], standing: new Map() };
  const fadingIn = (element) =>
    element.getAnimations().some(
      (animation) =>
        animation.playState === "running" &&
        animation.effect?.getKeyframes().some((frame) => Number(frame.opacity) > 0),
    );
  heard.listen = () => {
    const alerts = new Set(document.querySelectorAll(selectors.alert.join(",")));
    for (const element of heard.standing.keys()) {
      if (!alerts.has(element)) heard.standing.delete(element);
    }
    for (const element of alerts) {
      const there = laidOut(element) && (!transparent(element) || fadingIn(element));
      const words = there ? element.innerText.trim().slice(0, 200) : "";
      if (words === "") {
        heard.standing.delete(element);
      } else if (heard.standing.get(element)?.words !== words) {
        heard.form = ["pin", "otp", "mobile"].find(find) ?? heard.form;
        const alert = { words, form: heard.form };
        heard.standing.set(element, alert);
        // Nobody may look for a while; the first words are those that count.
        if (heard.news.length < 50) heard.news.push(alert);
      }
    }
  };
  new MutationObserver(heard.listen).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: ["class", "style", "hidden", "role"],
  });
  return heard;
}
// What came since the last look and what stands now, each once.
const alertsSinceTheLastLook = () => {
  ear.listen();
  ear.form = ["pin", "otp", "mobile"].find(find) ?? ear.form;
  const standing = [...ear.standing].filter(([element]) => shown(element)).map(([, alert]) => alert);
  const alerts = [...ear.news.splice(0), ...standing];
  return [...new Map(alerts.map((alert) => [`${alert.form} ${alert.words}`, alert])).values()];
};

const text = (document.body ? document.body.innerText : "").slice(0, 4000);
const number = find("mobile");
const code = /"error_?[cC]ode"\s*:\s*"(UDAPI\d+)"/.exec(text);
const message = /"message"\s*:\s*"([^"]{0,200})"/.exec(text);
const solved = [...document.getElementsByName("cf-turnstile-response")].some((answer) => answer.value !== "");
// A question mark makes it a heading of help, not a verdict.
const verdict = /^(your )?account (is|has been)( \w+)? (blocked|locked|suspended)\b[^?]*$/i;
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
  challenge: !solved && (find("challenge") !== null || /verify you are human/i.test(text)),
  consent: all("button, input[type=submit]").some((element) =>
    /^(allow|authori[sz]e)$/i.test((element.innerText || element.value || "").trim()),
  ),
  alerts: alertsSinceTheLastLook(),
  locked:
    all("h1, h2, h3, [role=heading]")
      .map((heading) => heading.innerText.trim())
      .find((words) => verdict.test(words)) ?? null,
  error: code && { code: code[1], message: message ? message[1] : "" },
  unreachable: document.URL.startsWith("chrome-error:"),
  blocked: /error( code:)? 10(10|20)|checking your browser|access denied/i.test(text),
};
