// The login page: one screen at a time is put into #stage, as a single-page application does.
// What is typed goes to the private backend under /login/api, which names the next screen or says why not.
"use strict";

const loginPage = (() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const stage = stageOf(document.getElementById("stage"));
  const LOCKED = 1017104;
  const DENIED = 1017105;
  let screen = null;
  let instance = 0;
  let countdown = null;

  /** Screens may stand in a shadow tree, which has styles of its own. */
  function stageOf(host) {
    if (!page.shadow) return host;
    const tree = host.attachShadow({ mode: "open" });
    const [style, inner] = [document.createElement("link"), document.createElement("div")];
    Object.assign(style, { rel: "stylesheet", href: "/login/assets/login.css" });
    tree.append(style, inner);
    return inner;
  }

  const part = (name) => stage.querySelector(`[data-part="${name}"]`);
  const digits = (text, length) => text.replace(/\D/g, "").slice(0, length);

  function toast(message) {
    const box = document.createElement("div");
    box.className = "toast toast-error";
    box.setAttribute("role", "alert");
    box.textContent = message;
    document.getElementById("toasts").replaceChildren(box);
    setTimeout(() => box.remove(), 3000);
  }

  /** Calls the backend; resolves to the next screen, or to null after a refusal was shown. */
  async function call(path, value) {
    let answer;
    try {
      const response = await fetch(`/login/api/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ transaction: page.transaction, value }),
      });
      answer = await response.json();
    } catch {
      toast("Something went wrong, please try again.");
      return null;
    }
    if (answer.success) return answer.data;
    refuse(answer.error.message);
    if (answer.error.code === LOCKED) mount({ screen: "locked" });
    if (answer.error.code === DENIED) mount({ screen: "denied" });
    return null;
  }

  /** Says no, in the way that this login has. The form is emptied by whoever sent it, or comes anew. */
  function refuse(message) {
    if (page.refusal === "toast") {
      if (message) toast(message);
    } else if (page.refusal === "words") {
      say(message);
    } else if (page.refusal.endsWith("document")) {
      location.assign(addressOf(screen, page.refusal === "document" ? message : ""));
    }
  }

  /** A plain paragraph above the form; no role says what it is. */
  function say(message) {
    const words = stage.querySelector(".error-message") ?? document.createElement("p");
    words.className = "error-message";
    words.textContent = message;
    (stage.querySelector("form") ?? stage.firstElementChild).before(words);
  }

  function addressOf(name, said = "") {
    const query = new URLSearchParams({ txn: page.transaction });
    if (page.inner) query.set("inner", "");
    if (said) query.set("said", said);
    return `${name === "mobile" ? "/login" : `/login/${name}`}?${query}`;
  }

  function show(next) {
    if (next.screen === "redirect") {
      // Without a location the page waits for ever.
      if (next.location) setTimeout(() => { window.top.location.href = next.location; }, 300);
    } else if (next.screen === "blocked") {
      location.href = "/login/blocked";
    } else if (page.multiPage) {
      location.assign(addressOf(next.screen));
    } else if (page.slowMs > 0) {
      setTimeout(() => mount(next), page.slowMs);
    } else {
      mount(next);
    }
  }

  function mount(next) {
    clearInterval(countdown);
    const template = document.querySelector(`template[data-screen="${next.screen}"]`);
    stage.replaceChildren(template.content.cloneNode(true));
    screen = next.screen;
    instance += 1;
    set_up[screen]?.(next);
    part("input")?.focus();
    document.dispatchEvent(new Event("loginscreen"));
  }

  /** One input, one button: the button wakes when the input is complete and sends it once per press. */
  function form({ length, path, format = (text) => text, ready = () => true }) {
    const input = part("input");
    const submit = part("submit");
    let sending = false;
    const refresh = () => {
      submit.disabled = sending || digits(input.value, length).length < length || !ready();
    };
    input.addEventListener("input", () => {
      const text = format(digits(input.value, length));
      if (input.value !== text) input.value = text;
      refresh();
    });
    const sheet = stage.querySelector("form");
    (sheet ?? submit).addEventListener(sheet ? "submit" : "click", async (event) => {
      event.preventDefault();
      if (submit.disabled) return;
      sending = true;
      refresh();
      const next = await call(path, digits(input.value, length));
      if (next) show(next);
      else if (screen !== "mobile") input.value = "";
      // The button of a slow page wakes before the next screen comes: whoever presses again asks again.
      sending = next !== null && page.slowMs === 0;
      refresh();
    });
    return refresh;
  }

  const set_up = {
    mobile() {
      const qr = part("qr");
      if (qr) drawCode(qr);
      let solved = !page.challenge;
      const refresh = form({ length: 10, path: "otp/generate", ready: () => solved });
      part("challenge-box")?.addEventListener("change", async (event) => {
        event.target.disabled = true;
        part("challenge-text").textContent = "Verifying...";
        if (!(await call("challenge", event.target.dataset.tickedBy ?? ""))) return;
        await new Promise((resolve) => setTimeout(resolve, 400));
        page.challenge = false;
        solved = true;
        part("challenge-text").textContent = "Success!";
        part("challenge-response").value = "0.simulated";
        refresh();
      });
      if (!page.challenge) part("challenge")?.remove();
    },

    otp(next) {
      part("masked-mobile").textContent = next.masked_mobile;
      form({
        length: 6,
        path: "otp/verify",
        format: (text) => (text.length > 3 ? `${text.slice(0, 3)}-${text.slice(3)}` : text),
      });
      back();
      const resend = part("resend");
      startCountdown(resend);
      resend.addEventListener("click", async () => {
        startCountdown(resend);
        const again = await call("otp/resend", "");
        if (again) part("masked-mobile").textContent = again.masked_mobile;
      });
    },

    pin() {
      form({ length: 6, path: "pin/verify" });
      back();
    },

    consent() {
      const answer = (value) => async () => {
        part("allow").disabled = true;
        part("deny").disabled = true;
        const next = await call("consent", value);
        if (next) show(next);
      };
      part("allow").addEventListener("click", answer("allow"));
      part("deny").addEventListener("click", answer("deny"));
    },
  };

  function back() {
    part("back").addEventListener("click", async () => {
      const next = await call("back", "");
      if (next) show(next);
    });
  }

  function startCountdown(resend) {
    let left = 38;
    const tick = () => {
      resend.disabled = left > 0;
      resend.textContent = left > 0 ? `Resend OTP (0:${String(left).padStart(2, "0")}s)` : "Resend OTP";
      if (left === 0) clearInterval(countdown);
      left -= 1;
    };
    clearInterval(countdown);
    countdown = setInterval(tick, 1000);
    tick();
  }

  /** Something that looks like a QR code; it says nothing. */
  function drawCode(svg) {
    const size = 29;
    const corner = (x, y) => {
      for (const [left, top] of [[0, 0], [size - 7, 0], [0, size - 7]]) {
        const [dx, dy] = [x - left, y - top];
        if (dx >= -1 && dx <= 7 && dy >= -1 && dy <= 7) {
          const ring = Math.max(Math.abs(dx - 3), Math.abs(dy - 3));
          return ring === 3 || ring <= 1;
        }
      }
      return null;
    };
    let path = "";
    let seed = 7;
    for (let y = 0; y < size; y += 1) {
      for (let x = 0; x < size; x += 1) {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        if (corner(x, y) ?? seed % 1000 < 480) path += `M${x} ${y}h1v1h-1z`;
      }
    }
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "path");
    drawing.setAttribute("d", path);
    svg.replaceChildren(drawing);
  }

  mount(page.first);
  const said = new URLSearchParams(location.search).get("said");
  if (said) say(said);

  return {
    transaction: page.transaction,
    current: () => ({ screen, instance }),
    part,
  };
})();
