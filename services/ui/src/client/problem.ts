/* What went wrong, in words for a person: the api's problem documents, and the network's silence. */
import type { components } from "./schema.d.ts";

type Document = Partial<components["schemas"]["ProblemDocument"]>;

export class Problem extends Error {
  /** 0 when there was no answer at all. */
  readonly status: number;
  /** Stable code of docs/api/problems.md; `offline` when there was no answer. */
  readonly code: string;
  readonly nextStep: string | undefined;
  readonly fields: readonly { readonly field: string; readonly message: string }[];
  readonly retryAfterMs: number | undefined;

  constructor(status: number, document: Document, retryAfterMs?: number) {
    super(document.detail ?? document.title ?? "Something went wrong.");
    this.status = status;
    this.code = document.code ?? "unknown";
    this.nextStep = document.next_step ?? undefined;
    this.fields = (document.errors ?? []).map(({ field, message }) => ({ field: field.replace(/^body\./, ""), message }));
    this.retryAfterMs = retryAfterMs;
  }

  /** Nothing answered: the network or the api is away. */
  static offline(): Problem {
    return new Problem(0, {
      code: "offline",
      detail: "Signalink cannot be reached.",
      next_step: "Check the connection; what you typed is kept.",
    });
  }

  static async of(response: Response): Promise<Problem> {
    const seconds = Number(response.headers.get("Retry-After"));
    const after = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
    try {
      return new Problem(response.status, (await response.json()) as Document, after);
    } catch {
      return new Problem(response.status, { detail: `The server answered ${response.status} without saying why.` }, after);
    }
  }

  /** The api may be there, but a service beside it answers nothing. */
  static away(service: string): Problem {
    return new Problem(0, {
      code: "offline",
      detail: `The ${service} service cannot be reached.`,
      next_step: "Try again in a moment; what you typed is kept, and messages are not affected.",
    });
  }

  /** The same request may succeed later, and repeating it is worth it. */
  get passes(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : Problem.offline();
}
