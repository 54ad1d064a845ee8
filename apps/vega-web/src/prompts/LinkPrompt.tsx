// Signing in in a browser of the human's own: the link and its QR code, and the field for the address at which it ended. The
// link is a secret: it is fetched while it is asked for, and forgotten with the question.

import { Anchor, Button, Loader, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { QRCodeSVG } from "qrcode.react";
import { getPrompt, said } from "../api/client";
import type { Prompt } from "../api/types";
import { useSessionOf } from "../api/useAnswered";
import { Failed } from "../page/Failed";
import { useAnswer } from "./useAnswer";

interface Props {
  prompt: Prompt;
  run: string;
  isLive: boolean;
}

export function LinkPrompt({ prompt, run, isLive }: Props) {
  const link = useQuery({
    queryKey: ["link", run, prompt.id],
    queryFn: async () => {
      const { prompts } = await said(getPrompt({ path: { id: run } }));
      return prompts.find((open) => open.id === prompt.id)?.link ?? null;
    },
    gcTime: 0,
    staleTime: Infinity,
  });
  useSessionOf(link.error);
  const isWithout = link.data === null && !link.isFetching;
  return (
    <div className="stack">
      {link.isPending && <Loader aria-label="Fetching the link" />}
      <Failed error={link.error} title="The link could not be fetched" />
      {isWithout && <p role="status">The server has no link for this question any more.</p>}
      {(link.isError || isWithout) && (
        <Button
          variant="default"
          disabled={!isLive}
          loading={link.isFetching}
          onClick={() => void link.refetch()}
        >
          Fetch the link again
        </Button>
      )}
      {link.data && <SignInLink address={link.data} />}
      {prompt.paste_only && <p>It does not come back by itself: {prompt.paste_only}</p>}
      <Address prompt={prompt} run={run} isLive={isLive} />
    </div>
  );
}

function SignInLink({ address }: { address: string }) {
  // Only a web address is ever made a link: what else it says, it does not run.
  if (!/^https?:\/\//.test(address)) return <p>The link is no web address; ask for another run.</p>;
  return (
    <div className="link">
      <QRCodeSVG value={address} size={168} marginSize={4} title="QR code of the link" />
      <Anchor href={address} target="_blank" rel="noopener noreferrer">
        Open the sign-in at Upstox
      </Anchor>
    </div>
  );
}

function Address({ prompt, run, isLive }: Props) {
  const answer = useAnswer(run);
  return (
    <form
      className="stack"
      autoComplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const address = new FormData(form).get("address");
        form.reset();
        if (typeof address !== "string" || address === "") return;
        answer.send({ kind: "address", prompt: prompt.id, address });
      }}
    >
      <TextInput
        name="address"
        type="password"
        autoComplete="one-time-code"
        data-1p-ignore
        data-lpignore="true"
        required
        maxLength={4096}
        label="The address at which the sign-in ended"
        description={`All of it, from the address bar; it begins with ${prompt.redirect_uri ?? "the redirect URI"}. Masked, kept nowhere.`}
        disabled={!isLive || answer.isPending || answer.isSent}
      />
      <Button type="submit" disabled={!isLive || answer.isSent} loading={answer.isPending}>
        Send the address
      </Button>
      {answer.isSent && <p role="status">The address was passed on.</p>}
      <Failed error={answer.error} title="The address was not taken" />
    </form>
  );
}
