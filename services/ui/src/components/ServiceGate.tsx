/* What needs another service than the api: shown once its address is known; its absence and the waiting are said. */
import type { ReactNode } from "react";
import { type ServiceName, useAddresses } from "@/lib/services";
import { Button, ProblemNote } from "./parts";

interface Props {
  readonly of: ServiceName;
  /** What is missing on a platform that runs without the service. */
  readonly absent: string;
  readonly children: ReactNode;
}

export function ServiceGate({ of, absent, children }: Props) {
  const addresses = useAddresses();
  if (addresses.data === undefined) return <Waiting query={addresses} />;
  if (addresses.data[of] === null) return <p className="absent">{absent}</p>;
  return children;
}

export interface Asked {
  readonly error: unknown;
  /** Why the last attempt failed while others follow. */
  readonly failureReason: unknown;
  readonly refetch: () => unknown;
}

/** The first answer is not there yet. What is tried again is said at once: a service that hangs takes long to give up on. */
export function Waiting({ query }: { readonly query: Asked }) {
  const failed = query.error ?? query.failureReason;
  if (failed === null || failed === undefined) return <p className="absent" aria-busy="true">Loading…</p>;
  return (
    <div className="not-there">
      <ProblemNote error={failed} />
      <Button onClick={() => void query.refetch()}>Try again</Button>
    </div>
  );
}
