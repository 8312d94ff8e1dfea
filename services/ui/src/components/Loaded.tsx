/* What a query answered; before that the waiting, and beside old data what went wrong with asking again. */
import type { ReactNode } from "react";
import { asProblem } from "@/client";
import { ProblemNote } from "./parts";
import { Waiting } from "./ServiceGate";

interface Asked<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly refetch: () => unknown;
}

interface Props<T> {
  readonly query: Asked<T>;
  /** Also say that nothing can be reached while older data is shown: one part of a page says it for all. */
  readonly saysOffline?: boolean;
  readonly children: (data: T) => ReactNode;
}

export function Loaded<T>({ query: { data, error, refetch }, saysOffline = false, children }: Props<T>) {
  if (data === undefined) return <Waiting error={error} onRetry={() => void refetch()} />;
  const failed = error !== null && error !== undefined && (saysOffline || asProblem(error).code !== "offline");
  return (
    <>
      {failed && <ProblemNote error={error} />}
      {children(data)}
    </>
  );
}
