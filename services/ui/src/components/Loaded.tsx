/* What a query answered; before that the waiting, and beside old data what went wrong with asking again. */
import type { ReactNode } from "react";
import { asProblem } from "@/client";
import { ProblemNote } from "./parts";
import { type Asked, Waiting } from "./ServiceGate";

interface Answered<T> extends Asked {
  readonly data: T | undefined;
}

interface Props<T> {
  readonly query: Answered<T>;
  /** Also say that nothing can be reached while older data is shown: one part of a page says it for all. */
  readonly saysOffline?: boolean;
  readonly children: (data: T) => ReactNode;
}

export function Loaded<T>({ query, saysOffline = false, children }: Props<T>) {
  const { data } = query;
  if (data === undefined) return <Waiting query={query} />;
  const failed = query.error ?? query.failureReason;
  const said = failed !== null && failed !== undefined && (saysOffline || asProblem(failed).code !== "offline");
  return (
    <>
      {said && <ProblemNote error={failed} />}
      {children(data)}
    </>
  );
}
