// Calls the human while something waits for them: the tab's title, and a notification where they allowed it.

import { useEffect, useRef } from "react";
import type { Prompt } from "../api/types";
import { titleOf } from "./labels";
import { notify } from "./permission";

/** `page` is what the tab is called while nobody is needed. */
export function useAttention(prompts: Prompt[], page: string) {
  const first = prompts[0];
  const title = first ? `(${prompts.length}) ${titleOf(first)} – Vega` : `${page} – Vega`;
  useEffect(() => {
    document.title = title;
  }, [title]);

  const told = useRef(new Set<string>());
  useEffect(() => {
    for (const prompt of prompts) {
      if (told.current.has(prompt.id)) continue;
      told.current.add(prompt.id);
      if (document.hidden || !document.hasFocus()) {
        notify(titleOf(prompt), { body: prompt.words, tag: prompt.id });
      }
    }
  }, [prompts]);
}
