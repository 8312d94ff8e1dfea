/* What to do after a socket ended, decided from its close code alone (docs/api/close-codes.md). */

export type Advice = "backoff" | "renew" | "stop";

/** Codes that say that this client broke a rule: it would break it again. */
const OUR_FAULT = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

/** 4000-4099 and lost connections: try again; 4100-4199: new credentials first; 4400-4499: something must change. */
export function advice(code: number): Advice {
  if (code >= 4100 && code < 4200) return "renew";
  if ((code >= 4400 && code < 4500) || OUR_FAULT.has(code)) return "stop";
  return "backoff";
}

/** What a person is told about an end that no retry helps. */
export function explanation(code: number): string {
  switch (code) {
    case 4401:
      return "Your session has ended. Sign in again to go on.";
    case 4403:
      return "This page may not open a live connection. Load it again from its own address.";
    case 4409:
      return "You have too many windows open. Close one of them, then connect again.";
    case 4410:
      return "This account was disabled. Ask an administrator.";
    default:
      return `The live connection was refused (code ${code}). Load the page again.`;
  }
}
