/* A gateway in memory, as one socket sees it: what the client said, and frames and closes at will. */

export class FakeSocket {
  static all: FakeSocket[] = [];
  readonly sent: Record<string, unknown>[] = [];
  readyState: number = 1;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((close: { code: number }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: readonly string[],
  ) {
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  frame(frame: Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  welcome(): void {
    this.onopen?.();
    this.frame({ op: "welcome", session: "s", node: "n", heartbeat_ms: 25_000 });
  }

  event(channel: string, seq: number, epoch = 1): void {
    this.frame({ op: "event", channel, epoch, seq, type: "dev.signalink.message.created", id: `${seq}`, time: "2026-01-01T00:00:00.000Z", data: {} });
  }

  drop(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  said(op: string): Record<string, unknown>[] {
    return this.sent.filter((command) => command["op"] === op);
  }
}
