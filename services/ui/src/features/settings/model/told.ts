/* What became of a notification on each of its ways, in words. */
import type { Way } from "./preferences";
import { WAY_WORDS } from "./words";

export interface Delivery {
  readonly channel: Way;
  readonly state: "pending" | "sent" | "skipped" | "failed";
  readonly reason: string | null;
  readonly error: string | null;
  readonly attempts: number;
}

/** Reasons the service gives for sending nothing; another one is shown as it is. */
const SKIPPED: Readonly<Record<string, string>> = {
  deleted: "the message was deleted",
  expired: "it was too old",
  outside: "you left the channel",
  blocked: "you blocked the sender",
  read: "you had read it",
  muted: "the channel is muted",
  switched_off: "you switched it off",
  unsubscribed: "you stopped all mail",
  no_target: "there was no address for it",
  channel_disabled: "this platform does not send this way",
};

const plain = (code: string): string => code.replaceAll("_", " ");

function became({ state, reason, error, attempts }: Delivery): string {
  switch (state) {
    case "sent":
      return "sent";
    case "skipped":
      return `not sent, ${reason === null ? "without a reason" : (SKIPPED[reason] ?? plain(reason))}`;
    case "failed":
      return `failed after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}${error === null ? "" : ` (${plain(error)})`}`;
    case "pending":
      if (reason === "quiet") return "waits for the end of quiet hours";
      return error === null ? "on its way" : `tried again soon (${plain(error)})`;
  }
}

/** "E-mail: sent", in the order of the ways; a way without a delivery is on its way. */
export function toldWords(ways: readonly Way[], deliveries: readonly Delivery[]): string {
  return ways
    .map((way) => {
      const delivery = deliveries.find(({ channel }) => channel === way);
      return `${WAY_WORDS[way]}: ${delivery === undefined ? "on its way" : became(delivery)}`;
    })
    .join(" · ");
}
