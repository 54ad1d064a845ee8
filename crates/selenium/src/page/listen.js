// Listens between two looks. Each document gets one ear. It keeps the words of every alert with the form it came on, for
// an alert may be gone before the next look; and it keeps whether what was typed was submitted, by whomever, and whether
// the page then gave the same form back: emptied by the page itself, or marked as wrong. It keeps nothing that was typed,
// and changes nothing but this: which form was submitted and when, and whether the page then reloads itself, is left for the
// next document, in the tab's session storage.
const NOTE = "vega-submitted";
const noteFor = (form, reloads = false) => {
  // A frame without an origin has no storage.
  try {
    if (form) sessionStorage.setItem(NOTE, JSON.stringify({ form, at: Date.now(), reloads }));
    else sessionStorage.removeItem(NOTE);
  } catch {}
};
const noteFromBefore = () => {
  try {
    const note = JSON.parse(sessionStorage.getItem(NOTE));
    return note && Object.hasOwn(LENGTHS, note.form) ? note : null;
  } catch {
    return null;
  } finally {
    noteFor(null);
  }
};
const ear = (document.vegaEar ??= listen());
function listen() {
  const before = noteFromBefore();
  const heard = {
    id: `${performance.timeOrigin}-${Math.random()}`,
    form: null,
    news: [],
    standing: new Map(),
    entry: null,
    retyped: null,
    cameAfter: before,
    reloadedItself: before?.reloads === true,
    // The page is reloading itself.
    reloads: false,
    // Somebody pressed what leads back.
    turnedBack: false,
    // How often something changed, also at the last look; and who waits for more.
    changes: 0,
    seen: 0,
    wake: null,
  };
  const change = () => {
    heard.changes += 1;
    heard.wake?.();
  };
  const watched = new WeakSet();
  const fadingIn = (element) =>
    element.getAnimations().some(
      (animation) =>
        animation.playState === "running" &&
        animation.effect?.getKeyframes().some((frame) => Number(frame.opacity) > 0),
    );
  const listenToAlerts = () => {
    const alerts = new Set(
      treesNow().flatMap((tree) => [...tree.querySelectorAll(selectors.alert.join(","))]),
    );
    for (const element of heard.standing.keys()) {
      if (!alerts.has(element)) heard.standing.delete(element);
    }
    for (const element of alerts) {
      const there = laidOut(element) && (!transparent(element) || fadingIn(element));
      const words = there ? element.innerText.trim().slice(0, 200) : "";
      if (words === "") {
        heard.standing.delete(element);
      } else if (heard.standing.get(element)?.words !== words) {
        heard.form = formNow() ?? heard.form;
        const alert = { words, form: heard.form };
        heard.standing.set(element, alert);
        // Nobody may look for a while; the first words are those that count.
        if (heard.news.length < 50) heard.news.push(alert);
      }
    }
  };

  const begin = (form) => ({
    form,
    full: false,
    fullAt: 0,
    otherAt: -Infinity,
    clearedAt: -Infinity,
    marked: false,
    sent: false,
    guessed: false,
    back: false,
    calm: new WeakSet(),
  });
  const markSent = (entry, guessed = false) => {
    entry.guessed = guessed && (entry.guessed || !entry.sent);
    entry.sent = true;
    heard.turnedBack = false;
    noteFor(entry.form, heard.reloads);
  };
  const markFull = (entry) => {
    // A page's clock is coarse: a call of the same moment may seem to come before it.
    if (!entry.full) entry.fullAt = performance.now() - 1;
    entry.full = true;
  };
  const typeAgain = (entry) => {
    if (entry.back) heard.retyped = entry.form;
    heard.entry = begin(entry.form);
  };
  heard.follow = () => {
    const form = formNow();
    if (!form) return;
    if (form !== heard.entry?.form) {
      if (heard.entry) {
        const { form: left, sent } = heard.entry;
        heard.cameAfter = sent && !heard.turnedBack ? { form: left, at: Date.now() } : null;
      }
      heard.entry = begin(form);
      noteFor(null);
    }
    const [entry, boxes] = [heard.entry, boxesOf(form)];
    if (entry.emptied && holdsSomething(boxes)) {
      typeAgain(entry);
      return heard.follow();
    }
    if (isFull(form, boxes)) markFull(entry);
    const isCleared = !holdsSomething(boxes) && performance.now() - entry.clearedAt < 5000;
    if (isCleared && !entry.sent) entry.full = false;
    if (!entry.sent) entry.marked = boxes.some(isMarked);
    else if (entry.full) {
      entry.emptied = !holdsSomething(boxes);
      entry.back = entry.emptied || (!entry.marked && boxes.some(isMarked));
    }
  };
  const submit = () => {
    heard.follow();
    if (heard.entry?.full) markSent(heard.entry);
  };
  const doSomethingElse = (words) => {
    heard.turnedBack = true;
    if (!heard.entry || heard.entry.sent) return;
    heard.entry.otherAt = performance.now();
    if (!CLEARS.test(words)) return;
    heard.entry.full = false;
    heard.entry.clearedAt = performance.now();
  };
  // After these a page may empty the box of itself, with nothing submitted.
  const CLEARS = /resend|again|clear|change|edit|cancel|start over|call me|new (otp|code|pin)/i;
  const ELSEWHERE = /back|forgot|show|hide|other|different|instead|not you|help|close/i;
  const leadsAway = (button) => {
    const address = button.matches("a[href]") ? button.getAttribute("href").trim() : "";
    return address !== "" && !/^(#|javascript:)/i.test(address);
  };
  const press = (button) => {
    const { entry } = heard;
    const words = wordsOn(button);
    const box = entry && find(entry.form)?.element;
    if (CLEARS.test(words) || ELSEWHERE.test(words) || leadsAway(button)) return doSomethingElse(words);
    const continues =
      button === find(BUTTONS[entry?.form ?? "pin"])?.element ||
      (button.type === "submit" && button.form && button.form === box?.form) ||
      /^(continue|submit|verify|next|proceed|confirm|log ?in|sign ?in|enter|done|ok)\b/i.test(words);
    if (continues) return submit();
    // What it does is unknown, and it may submit a second factor that stands there complete.
    heard.follow();
    if (heard.entry?.full && heard.entry.form !== "mobile") markSent(heard.entry, true);
    else doSomethingElse(words);
  };
  const acts = {
    // Before the page's own listeners, which may submit and empty the box at once.
    input: (event) => {
      heard.follow();
      const { entry } = heard;
      const boxes = entry ? boxesOf(entry.form) : [];
      if (!boxes.includes(event.composedPath()[0])) return;
      if (isFull(entry.form, boxes)) markFull(entry);
      else if (event.isTrusted) typeAgain(entry);
    },
    click: (event) => {
      const button = event
        .composedPath()
        .find((node) => node.matches?.("button, a, [role=button], input[type=submit], input[type=button]"));
      if (button) press(button);
    },
    keydown: (event) => {
      const { entry } = heard;
      if (event.key === "Enter" && entry && boxesOf(entry.form).includes(event.composedPath()[0])) submit();
    },
    submit: (event) => {
      if (event.submitter) press(event.submitter);
      else submit();
    },
  };
  heard.listen = () => {
    for (const tree of treesNow()) {
      if (watched.has(tree)) continue;
      watched.add(tree);
      for (const [kind, note] of Object.entries(acts)) {
        // Those of a shadow tree come by the document too, but for "submit".
        if (tree === document || kind === "submit") tree.addEventListener(kind, note, true);
        if (tree === document) tree.addEventListener(kind, change, true);
      }
      observer.observe(tree, {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
        attributeFilter: ["class", "style", "hidden", "role", "aria-invalid", "disabled"],
      });
    }
    listenToAlerts();
    heard.follow();
  };
  const observer = new MutationObserver(() => {
    heard.listen();
    change();
  });
  // A page may submit by itself what is complete, and leave: no event tells of that.
  window.addEventListener("pagehide", () => {
    const { entry } = heard;
    if (entry?.full && performance.now() - entry.otherAt > 1000) markSent(entry);
    change();
  });
  // A reload by the browser's own button is the human's; the page's own may be its answer.
  window.navigation?.addEventListener("navigate", (event) => {
    heard.reloads = event.navigationType === "reload" && !event.userInitiated;
    if (heard.entry?.sent) noteFor(heard.entry.form, heard.reloads);
  });
  // Or it stays, and calls a server of its site at once: at an address that it did not call before. What a page calls again
  // and again, such as a heartbeat or a count of keys, submits nothing.
  const address = (call) => call.name.split(/[?#]/)[0];
  const known = new Set();
  new PerformanceObserver((list) => {
    const { entry } = heard;
    const soon = (call) => call.startTime >= entry.fullAt && call.startTime <= entry.fullAt + 1000;
    const calls = list.getEntries().filter((call) => /^(fetch|xmlhttprequest)$/.test(call.initiatorType));
    const site = (host) => (/[a-z]$/i.test(host) ? host.split(".").slice(-2).join(".") : host);
  const own = (call) => site(new URL(call.name).hostname) === site(location.hostname) && !known.has(address(call));
    if (entry?.full && calls.some((call) => own(call) && soon(call))) markSent(entry, true);
    for (const call of calls) if (!entry?.full || call.startTime < entry.fullAt) known.add(address(call));
  }).observe({ type: "resource", buffered: true });
  return heard;
}

// What came since the last look and what stands now, each once.
const alertsSinceTheLastLook = () => {
  ear.listen();
  ear.form = formNow() ?? ear.form;
  const standing = [...ear.standing].filter(([element]) => shown(element)).map(([, alert]) => alert);
  const alerts = [...ear.news.splice(0), ...standing];
  return [...new Map(alerts.map((alert) => [`${alert.form} ${alert.words}`, alert])).values()];
};

// Signs that the page works on something, without those that were there before anything was submitted.
const busyNow = () => {
  const { entry } = ear;
  if (!entry) return false;
  const signs = all(
    "[aria-busy=true], [role=progressbar], progress, [class*=spinner i], [class*=loader i], [class*=loading i]",
  );
  const turning = treesNow()
    .flatMap((tree) => tree.getAnimations())
    .filter((one) => one.playState === "running" && one.effect?.getTiming().iterations === Infinity)
    .map((one) => one.effect.target)
    .filter((element) => element && shown(element));
  const asleep = boxesOf(entry.form).filter((box) => box.disabled || box.readOnly);
  const elements = [...signs, ...turning, ...asleep];
  if (!entry.full) elements.forEach((element) => entry.calm.add(element));
  return elements.some((element) => !entry.calm.has(element));
};
const entryNow = () =>
  ear.entry && {
    form: ear.entry.form,
    full: ear.entry.full,
    sent: ear.entry.sent,
    guessed: ear.entry.guessed,
    back: ear.entry.back,
  };
const retypedSinceTheLastLook = () => {
  const form = ear.retyped;
  ear.retyped = null;
  return form;
};

// What the page says: its visible lines without those on buttons and links, and what its boxes say of themselves.
const linesNow = () => {
  const bodies = treesNow().flatMap((tree) => (tree.body ? [tree.body] : [...tree.children]));
  const lines = bodies.flatMap((body) => (body.innerText ?? "").split("\n"));
  const boxes = ear.entry ? boxesOf(ear.entry.form) : [];
  for (const box of boxes) {
    const told = ["aria-describedby", "aria-errormessage"]
      .flatMap((name) => (box.getAttribute(name) ?? "").split(/\s+/))
      .map((id) => id && box.getRootNode().getElementById?.(id)?.textContent);
    lines.push(box.placeholder, box.title, box.validity?.customError ? box.validationMessage : "", ...told);
  }
  const unseen = new Set(
    treesNow()
      .flatMap((tree) => [...tree.querySelectorAll("*")])
      .filter((element) => element.childElementCount === 0 && element.textContent.trim() !== "")
      .filter((element) => !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }))
      .map((element) => element.textContent.trim()),
  );
  const pressed = new Set(all("button, a, option, [role=button]").flatMap((one) => wordsOn(one).split("\n")));
  const plain = lines.map((line) => (line ?? "").trim().slice(0, 200));
  return [...new Set(plain)].filter((line) => line !== "" && !pressed.has(line) && !unseen.has(line)).slice(0, 100);
};
