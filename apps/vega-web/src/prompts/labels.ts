// What each question is called: in its heading, in the tab's title and in a notification. None of them says a secret.

import type { Prompt } from "../api/types";

export function titleOf(prompt: Prompt): string {
  const api = prompt.api ? ` for ${prompt.api}` : "";
  switch (prompt.kind) {
    case "confirm":
      return "Confirm the plan";
    case "confirm_again":
      return "Confirm the plan once more";
    case "otp":
      return `OTP needed${api}`;
    case "pin":
      return `PIN needed${api}`;
    case "link":
      return `Sign in in your own browser${api}`;
    default:
      // In the window, or of a newer server: the words say what to do.
      return `You are needed at the browser window${api}`;
  }
}
