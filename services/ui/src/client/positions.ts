/* Where this client stands in each channel: the last seq up to which it has everything. Pure; `socket` acts on it. */
import type { Position, SeqRange } from "./frames.ts";

export type Arrival = "fresh" | "duplicate" | "hole" | "foreign";

interface Place {
  at: Position;
  skipped: readonly SeqRange[];
}

export class Positions {
  readonly #places = new Map<string, Place>();

  /** Follow a channel after a position. */
  follow(channel: string, after: Position): void {
    this.#places.set(channel, { at: after, skipped: [] });
  }

  forget(channel: string): void {
    this.#places.delete(channel);
  }

  has(channel: string): boolean {
    return this.#places.has(channel);
  }

  at(channel: string): Position | undefined {
    return this.#places.get(channel)?.at;
  }

  /** All channels with the position to resume after. */
  wanted(): [string, Position][] {
    return [...this.#places].map(([channel, place]) => [channel, place.at]);
  }

  /** `subscribed` or `gap` said where the channel goes on from; `skipped` ranges above it are no holes. */
  begin(channel: string, position: Position, skipped: readonly SeqRange[] = []): void {
    const place = this.#places.get(channel);
    if (place) this.#places.set(channel, { at: position, skipped });
  }

  /** Judge an event and, when it is fresh, stand on it. A greater epoch goes on with any seq. */
  arrive(channel: string, position: Position): Arrival {
    const place = this.#places.get(channel);
    if (!place) return "foreign";
    const { at } = place;
    if (position.epoch < at.epoch) return "duplicate";
    if (position.epoch === at.epoch) {
      if (position.seq <= at.seq) return "duplicate";
      if (position.seq > this.#next(place)) return "hole";
    }
    place.at = position;
    return "fresh";
  }

  /** Whether the channel's head is beyond what this client has, skipped ranges aside. */
  behind(channel: string, head: Position): boolean {
    const place = this.#places.get(channel);
    return place !== undefined && head.epoch === place.at.epoch && head.seq >= this.#next(place);
  }

  #next(place: Place): number {
    let next = place.at.seq + 1;
    for (const range of place.skipped) if (next >= range.from && next <= range.to) next = range.to + 1;
    return next;
  }
}
