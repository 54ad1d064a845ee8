// What went wrong with something that the operator asked for, in the server's words.

import { Alert } from "@mantine/core";

export function Failed({ error, title }: { error: Error | null; title: string }) {
  if (error === null) return null;
  return (
    <Alert role="alert" color="red" variant="outline" title={title}>
      {error.message}
    </Alert>
  );
}
