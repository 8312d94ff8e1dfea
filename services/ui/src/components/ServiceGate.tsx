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
  if (addresses.data === undefined) return <Waiting error={addresses.error} onRetry={() => void addresses.refetch()} />;
  if (addresses.data[of] === null) return <p className="absent">{absent}</p>;
  return children;
}

interface WaitingProps {
  readonly error: unknown;
  readonly onRetry: () => void;
}

/** The first answer is not there yet, or there is none. */
export function Waiting({ error, onRetry }: WaitingProps) {
  if (error === null || error === undefined) return <p className="absent" aria-busy="true">Loading…</p>;
  return (
    <div className="not-there">
      <ProblemNote error={error} />
      <Button onClick={onRetry}>Try again</Button>
    </div>
  );
}
