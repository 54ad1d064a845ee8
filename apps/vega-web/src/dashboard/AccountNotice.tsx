// Why an account is closed, until when or what lifts it, and what can be used meanwhile. No alert: a screen reader would read
// the countdown every second; the answer at the top says what changed.

import { Alert } from "@mantine/core";
import type { Account, Api } from "../api/types";
import { useNow } from "../time/clock";
import { Until } from "../time/When";
import { useClosure } from "./closure";
import { isDead } from "./status";

/** Words of the server, in which commands stand between backticks. */
function WithCommands({ text }: { text: string }) {
  return (
    text
      .split("`")
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text never change their places
      .map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))
  );
}

export function AccountNotice({ account, apis }: { account: Account; apis: Api[] }) {
  const now = useNow();
  const { isWaitedFor } = useClosure(account.account);
  const usable = apis.filter((api) => api.servable && !isDead(api, now)).map((api) => api.api);
  const meanwhile =
    usable.length > 0
      ? `Usable meanwhile: ${usable.join(", ")}.`
      : "No token of this account is usable meanwhile.";
  if (account.stop) {
    const { failure } = account.stop;
    return (
      <Alert
        role="group"
        color="red"
        variant="outline"
        icon="■"
        title={`Account ${account.account} is stopped`}
      >
        <p>
          {failure.summary}. {failure.detail} {failure.next}
        </p>
        <p>
          It does not end by itself. <WithCommands text={account.stop.way_out} />
        </p>
        <p>{meanwhile}</p>
      </Alert>
    );
  }
  if (account.cooldown) {
    const { failure, until_unix } = account.cooldown;
    return (
      <Alert
        role="group"
        color="orange"
        variant="outline"
        icon="◷"
        title={`Account ${account.account} cools down`}
      >
        <p>
          {failure.summary}. {failure.detail}{" "}
          {isWaitedFor ? "The run waits for it and goes on by itself." : failure.next}
        </p>
        {until_unix && (
          <p>
            Sign-ins are possible again at <Until unix={account.retry_at_unix ?? until_unix} />.{" "}
            <WithCommands text={account.cooldown.way_out} />
          </p>
        )}
        <p>{meanwhile}</p>
      </Alert>
    );
  }
  if (account.retry_at_unix) {
    return (
      <Alert
        role="group"
        color="orange"
        variant="outline"
        icon="◷"
        title={`Account ${account.account} waits for its OTP budget`}
      >
        <p>
          All {account.otp_budget} OTPs that may be asked for are used. The next one is possible at{" "}
          <Until unix={account.retry_at_unix} />.
        </p>
        <p>{meanwhile}</p>
      </Alert>
    );
  }
  return null;
}
