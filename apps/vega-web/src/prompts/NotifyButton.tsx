// Asks the browser whether it may notify, where that was not decided yet.

import { Button } from "@mantine/core";
import { useState } from "react";
import { permission } from "./permission";

export function NotifyButton() {
  const [decided, setDecided] = useState(permission);
  if (decided !== "default") return null;
  return (
    <Button
      size="md"
      variant="default"
      onClick={() => void Notification.requestPermission().then(setDecided)}
    >
      Notify me when I am needed
    </Button>
  );
}
