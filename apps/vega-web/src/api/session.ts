// This browser's second secret of the console's session. The first is a cookie, which browsers give to every port of a host;
// this one is kept for the console's own address alone, for all of its tabs, and shown with each call.

const NAME = "vega.session";

/** Where a browser keeps nothing for pages, the tab does. */
let kept: string | null = null;

export function keepSessionSecret(secret: string) {
  kept = secret;
  try {
    localStorage.setItem(NAME, secret);
  } catch {
    // The other tabs then need links of their own.
  }
}

/** Looked up anew each time: another tab may have opened another session. */
export function sessionSecret(): string | null {
  try {
    return localStorage.getItem(NAME) ?? kept;
  } catch {
    return kept;
  }
}

export function forgetSessionSecret() {
  kept = null;
  try {
    localStorage.removeItem(NAME);
  } catch {
    // Then there is none.
  }
}
