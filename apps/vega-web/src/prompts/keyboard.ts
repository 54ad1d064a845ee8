// Whether somebody is typing. What they type was meant for the field that they saw, so a question that comes up meanwhile
// may not catch it.

import { useEffect } from "react";

const AT_REST_AFTER_MS = 3_000;

let lastKey = Number.NEGATIVE_INFINITY;

/** Watches the keyboard while it is mounted. On-screen keyboards may press no key: there, what arrives in a field counts. */
export function useKeyboardWatch() {
  useEffect(() => {
    const pressed = () => {
      lastKey = performance.now();
    };
    for (const event of ["keydown", "input"]) addEventListener(event, pressed, true);
    return () => {
      for (const event of ["keydown", "input"]) removeEventListener(event, pressed, true);
      atRest();
    };
  }, []);
}

/** Says that what was typed is complete: an answer was sent. */
export function atRest() {
  lastKey = Number.NEGATIVE_INFINITY;
}

export function isTyping(): boolean {
  return performance.now() - lastKey < AT_REST_AFTER_MS;
}
