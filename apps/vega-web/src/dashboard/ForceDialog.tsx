// Asks why a token that is not dead should be replaced: the reason goes on record.

import { Button, Modal, TextInput } from "@mantine/core";
import { useState } from "react";

interface Props {
  /** The API, or null when the dialog is shut. */
  api: string | null;
  isDead: boolean;
  onClose: () => void;
  onForce: (reason: string) => void;
}

export function ForceDialog({ api, isDead, onClose, onForce }: Props) {
  return (
    <Modal.Root
      opened={api !== null}
      onClose={onClose}
      lockScroll={false}
      centered
      transitionProps={{ duration: 0 }}
    >
      <Modal.Overlay />
      <Modal.Content>
        {/* Mantine's own would be a second banner landmark. */}
        <Modal.Header renderRoot={(props) => <div {...props} />}>
          <Modal.Title>
            {isDead ? `Make a token for ${api} now?` : `Replace the token of ${api}?`}
          </Modal.Title>
          <Modal.CloseButton aria-label="Close" />
        </Modal.Header>
        <Modal.Body>
          <Reason isDead={isDead} onForce={onForce} onClose={onClose} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Reason({ isDead, onForce, onClose }: Omit<Props, "api">) {
  const [reason, setReason] = useState("");
  const text = reason.trim();
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (text !== "") onForce(text);
      }}
    >
      <p>
        {isDead
          ? "Made before 03:30 IST, it expires then, and another OTP is needed after that."
          : "Its token may still be good. Programs that hold it lose it when Upstox makes another one."}
      </p>
      <TextInput
        data-autofocus
        required
        maxLength={200}
        label="Why"
        description="Goes into the audit trail."
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <div className="row">
        <Button variant="default" onClick={onClose}>
          {isDead ? "Make none" : "Keep the token"}
        </Button>
        <Button type="submit" color="red" disabled={text === ""}>
          Show the plan
        </Button>
      </div>
    </form>
  );
}
