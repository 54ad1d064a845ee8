// What the stream sends, and how each event changes what is shown. Each event holds the whole new state of its thing.

import type { Consumer, Snapshot, StreamEvent } from "../api/types";

/** What comes after the snapshot. */
export type Change = Exclude<StreamEvent, { event: "snapshot" }>;

/** Each of them, which the compiler checks. */
const NAMES: Record<Change["event"], true> = {
  token: true,
  run: true,
  step: true,
  prompt: true,
  cooldown: true,
  consumers: true,
};

export const CHANGES = Object.keys(NAMES) as Change["event"][];

export function apply(dashboard: Snapshot, change: Change): Snapshot {
  switch (change.event) {
    case "token":
      return { ...dashboard, apis: replaced(dashboard.apis, change.data, (api) => api.api) };
    case "cooldown":
      return {
        ...dashboard,
        accounts: replaced(dashboard.accounts, change.data, (account) => account.account),
      };
    case "consumers":
      return {
        ...dashboard,
        consumers: change.data.consumers.reduce(
          (all, consumer) => replaced(all, consumer, keyOf),
          dashboard.consumers,
        ),
      };
    case "prompt":
      return { ...dashboard, prompts: change.data.prompts };
    case "run":
      return { ...dashboard, run: change.data };
    case "step": {
      const { run, v: _, ...step } = change.data;
      if (!dashboard.run || dashboard.run.id !== run) return dashboard;
      return {
        ...dashboard,
        run: { ...dashboard.run, steps: replaced(dashboard.run.steps, step, (one) => one.api) },
      };
    }
  }
}

/** What tells one program's use of one token from all others. */
export function keyOf(consumer: Consumer): string {
  return [consumer.consumer, consumer.own_name ?? "", consumer.api].join(" ");
}

/** In its place; at the end where it is not known yet. */
function replaced<Thing>(things: Thing[], thing: Thing, name: (thing: Thing) => string): Thing[] {
  const known = things.some((one) => name(one) === name(thing));
  return known
    ? things.map((one) => (name(one) === name(thing) ? thing : one))
    : [...things, thing];
}
