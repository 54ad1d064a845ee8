// Keeps the session open while a human is at the page: it ends without calls, and the stream is none. An untouched page
// lets it end.

import { useEffect } from "react";
import { getSession, said } from "../api/client";

const AT_MOST_EVERY_MS = 60_000;

export function useActivity() {
  useEffect(() => {
    let last = Date.now();
    const touched = () => {
      if (Date.now() - last < AT_MOST_EVERY_MS) return;
      last = Date.now();
      // What it says is found out by the stream as well.
      said(getSession({ headers: { "x-vega-unattended": null } })).catch(() => {});
    };
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, touched);
    return () => {
      for (const event of ["pointerdown", "keydown"]) removeEventListener(event, touched);
    };
  }, []);
}
