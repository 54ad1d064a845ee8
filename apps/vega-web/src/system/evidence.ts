// Where the evidence of one failure stands on the system page: the dashboard links to it, the list marks it.

/** Of the evidence that is kept under this name. */
export function placeOf(id: string): string {
  return `evidence-${id}`;
}

/** The name of what is kept in this file of the server's machine: the file's own, without its ending. */
export function idOf(path: string): string {
  const name = path.split(/[/\\]/).at(-1) ?? "";
  return name.replace(/\.[^.]*$/, "");
}
