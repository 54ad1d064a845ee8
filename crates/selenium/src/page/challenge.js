// Whether the page asks for a human, known by what it is made of and not by its language: the boxes of those who make them,
// and the page that stands in place of all others until the browser was looked at. What only mentions them is none.
const answered = () =>
  ["cf-turnstile-response", "g-recaptcha-response", "h-captcha-response"].some((name) =>
    treesNow().some((tree) => [...tree.querySelectorAll(`[name=${name}]`)].some((answer) => answer.value)),
  );
const passageNow = () =>
  typeof window._cf_chl_opt === "object" || document.querySelector(selectors.passage.join(",")) !== null;
// A box of somebody else's making that says so in English; a text about such boxes has none.
const saysSo = (text) =>
  /verify you are human/i.test(text) && (find("mobile") !== null || all("input[type=checkbox]").length > 0);
const challengeNow = (text) => !answered() && (find("challenge") !== null || passageNow() || saysSo(text));
