/* Up to which seq this person has seen each channel in this browser: what makes a channel unread after a reload. */

const KEY = "signalink.seen.";

export class Seen {
  readonly #key: string;
  #seqs: Record<string, number>;

  constructor(user: string) {
    this.#key = KEY + user;
    this.#seqs = read(this.#key);
  }

  /** True for a channel that moved since it was last on the screen; a channel never seen counts as read. */
  isBehind(channel: string, seq: number): boolean {
    return seq > (this.#seqs[channel] ?? seq);
  }

  mark(channel: string, seq: number): void {
    if (seq <= (this.#seqs[channel] ?? -1)) return;
    this.#seqs = { ...this.#seqs, [channel]: seq };
    try {
      localStorage.setItem(this.#key, JSON.stringify(this.#seqs));
    } catch {
      // Storage is blocked or full: the marks last until the page is left.
    }
  }
}

function read(key: string): Record<string, number> {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}") as Record<string, number>;
  } catch {
    return {};
  }
}
