import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Credentials, Refusal, SocketClient, type SocketHandlers } from "@/client/socket";
import { FakeSocket } from "./fakes";

const CHANNEL = "c1";
let asked: boolean[];
let credentials: () => Promise<Credentials>;
let heard: { arrivals: string[]; phases: string[]; holes: [number, number][]; whole: number; frames: string[] };

function client(): SocketClient {
  const handlers: SocketHandlers = {
    onEvent: (frame, arrival) => heard.arrivals.push(`${frame.seq} ${arrival}`),
    onFrame: (frame) => heard.frames.push(frame.op),
    onState: (state) => heard.phases.push(state.phase),
    onHole: (_, at, seen) => heard.holes.push([at.seq, seen.seq]),
    onWhole: () => (heard.whole += 1),
  };
  const made = new SocketClient({
    handlers,
    credentials: (renew) => {
      asked.push(renew);
      return credentials();
    },
    connect: (url, protocols) => new FakeSocket(url, protocols) as unknown as WebSocket,
    random: () => 1,
  });
  return made;
}

async function online(): Promise<SocketClient> {
  const made = client();
  made.follow(CHANNEL, { epoch: 1, seq: 4 });
  made.start();
  await vi.advanceTimersByTimeAsync(0);
  FakeSocket.last.welcome();
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", { OPEN: 1 });
  FakeSocket.all = [];
  asked = [];
  heard = { arrivals: [], phases: [], holes: [], whole: 0, frames: [] };
  credentials = () => Promise.resolve({ url: "ws://gateway/v1/socket", ticket: "t1" });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("connecting", () => {
  test("the ticket goes as subprotocol, never in the address, and channels are followed after their position", async () => {
    await online();
    expect(FakeSocket.last.url).toBe("ws://gateway/v1/socket");
    expect(FakeSocket.last.protocols).toEqual(["signalink.v1", "ticket.t1"]);
    expect(FakeSocket.last.said("subscribe")).toEqual([{ op: "subscribe", channels: [{ id: CHANNEL, after: { epoch: 1, seq: 4 } }] }]);
  });

  test("without a ticket the access token is the first message", async () => {
    credentials = () => Promise.resolve({ url: "ws://gateway/v1/socket", token: "jwt" });
    await online();
    expect(FakeSocket.last.protocols).toEqual(["signalink.v1"]);
    expect(FakeSocket.last.sent[0]).toEqual({ op: "auth", token: "jwt" });
  });

  test("many channels are asked for in frames of at most 200", async () => {
    const made = client();
    for (let number = 0; number < 450; number += 1) made.follow(`c${number}`, { epoch: 1, seq: 0 });
    made.start();
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.last.welcome();
    expect(FakeSocket.last.said("subscribe").map((command) => (command["channels"] as unknown[]).length)).toEqual([200, 200, 50]);
  });

  test("a refusal for good is not repeated, and a press on the button tries again", async () => {
    credentials = () => Promise.reject(new Refusal(4401, "Sign in again."));
    const made = client();
    made.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made.state).toEqual({ phase: "stopped", code: 4401, reason: "Sign in again." });
    expect(asked).toHaveLength(1);
    made.nudge();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toHaveLength(2);
  });

  test("a connection that never gets its welcome is given up after ten seconds", async () => {
    client().start();
    await vi.advanceTimersByTimeAsync(10_000);
    await vi.advanceTimersByTimeAsync(300);
    expect(FakeSocket.all).toHaveLength(2);
  });
});

describe("coming back", () => {
  test("a lost connection resumes after the last contiguous seq, with a wait that grows and has a bound", async () => {
    await online();
    FakeSocket.last.event(CHANNEL, 5);
    FakeSocket.last.event(CHANNEL, 6);
    const waits: number[] = [];
    for (let lost = 0; lost < 8; lost += 1) {
      const count = FakeSocket.all.length;
      FakeSocket.last.drop(1006);
      let waited = 0;
      while (FakeSocket.all.length === count) {
        await vi.advanceTimersByTimeAsync(50);
        waited += 50;
      }
      waits.push(waited);
    }
    FakeSocket.last.welcome();
    expect(FakeSocket.last.said("subscribe")[0]).toMatchObject({ channels: [{ id: CHANNEL, after: { epoch: 1, seq: 6 } }] });
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(asked).not.toContain(true);
  });

  test("4100 gets new credentials and comes back at once", async () => {
    await online();
    FakeSocket.last.drop(4100);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toEqual([false, true]);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("a gateway that refuses new credentials again and again is not stormed", async () => {
    await online();
    FakeSocket.last.drop(4101);
    await vi.advanceTimersByTimeAsync(1);
    for (let more = 0; more < 3; more += 1) {
      FakeSocket.last.drop(4101);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(FakeSocket.all.length).toBeLessThanOrEqual(3);
  });

  test.each([4403, 4409, 4410, 1008])("code %i ends it and says why", async (code) => {
    const made = await online();
    FakeSocket.last.drop(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made.state).toMatchObject({ phase: "stopped", code });
    expect(FakeSocket.all).toHaveLength(1);
  });

  test("a draining gateway says when to come back", async () => {
    await online();
    FakeSocket.last.frame({ op: "draining", reconnect_after_ms: 3_000 });
    FakeSocket.last.drop(4000);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("silence is asked, and without an answer the connection counts as lost", async () => {
    const made = await online();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(FakeSocket.last.said("ping")).toHaveLength(1);
    FakeSocket.last.frame({ op: "pong", n: 1 });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(made.state.phase).toBe("online");
    await vi.advanceTimersByTimeAsync(15_000);
    expect(made.state.phase).not.toBe("online");
  });

  test("stop is for good, and a later start begins one loop only", async () => {
    const made = await online();
    made.stop();
    made.start();
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.last.welcome();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeSocket.all).toHaveLength(2);
    made.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(2);
  });
});

describe("holes", () => {
  test("an event beyond a hole is reported, not accepted, and the socket resumes below it", async () => {
    await online();
    FakeSocket.last.event(CHANNEL, 7);
    expect(heard.holes).toEqual([[4, 7]]);
    expect(heard.arrivals).toEqual(["7 hole"]);
    await vi.advanceTimersByTimeAsync(300);
    FakeSocket.last.welcome();
    expect(FakeSocket.last.said("subscribe")[0]).toMatchObject({ channels: [{ after: { epoch: 1, seq: 4 } }] });
    expect(heard.whole).toBe(0);
    FakeSocket.last.event(CHANNEL, 5);
    expect(heard.whole).toBe(1);
  });

  test("a head that no event follows is a hole too", async () => {
    await online();
    FakeSocket.last.frame({ op: "heads", channels: [[CHANNEL, 1, 6]] });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(heard.holes).toEqual([[4, 6]]);
  });

  test("a head whose events come in time is none", async () => {
    await online();
    FakeSocket.last.frame({ op: "heads", channels: [[CHANNEL, 1, 5]] });
    FakeSocket.last.event(CHANNEL, 5);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(heard.holes).toEqual([]);
  });

  test("duplicates are said to be duplicates", async () => {
    await online();
    FakeSocket.last.event(CHANNEL, 5);
    FakeSocket.last.event(CHANNEL, 5);
    expect(heard.arrivals).toEqual(["5 fresh", "5 duplicate"]);
  });

  test("a gap moves the position and is handed on", async () => {
    const made = await online();
    FakeSocket.last.frame({ op: "gap", channel: CHANNEL, from: 5, to: 90, position: { epoch: 2, seq: 90 } });
    expect(made.position(CHANNEL)).toEqual({ epoch: 2, seq: 90 });
    expect(heard.frames).toContain("gap");
  });
});

describe("presence and typing", () => {
  test("a gateway that does not know them closes with 4400; they are not said again", async () => {
    const made = await online();
    made.hint({ op: "typing", channel: CHANNEL });
    FakeSocket.last.drop(4400);
    await vi.advanceTimersByTimeAsync(300);
    FakeSocket.last.welcome();
    made.hint({ op: "typing", channel: CHANNEL });
    expect(made.state.phase).toBe("online");
    expect(FakeSocket.last.said("typing")).toEqual([]);
  });

  test("4400 for anything else is our fault and ends it", async () => {
    const made = await online();
    FakeSocket.last.drop(4400);
    await vi.advanceTimersByTimeAsync(300);
    expect(made.state.phase).toBe("stopped");
  });
});
