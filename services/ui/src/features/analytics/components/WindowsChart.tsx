/* Counts per window over time. What is still counting has a lighter colour and is named so. */
import { Chart } from "@/components/Chart";
import { type Interval, STEP_MS } from "../model/ranges";
import { dayIn, hourOf, momentName } from "../model/names";
import { type Window, described, split } from "../model/windows";

interface Props {
  readonly title: string;
  readonly what: (count: number) => string;
  readonly interval: Interval;
  readonly windows: readonly Window[];
}

export function WindowsChart({ title, what, interval, windows }: Props) {
  const { final, counting } = split(windows);
  const open = counting.some((value) => value !== null);
  const name = (seconds: number): string => momentName(seconds * 1000, interval);
  return (
    <Chart
      title={title}
      says={described(windows, what, (start) => momentName(start, interval))}
      look="bars"
      at={windows.map(({ start }) => start / 1000)}
      step={STEP_MS[interval] / 1000}
      series={[{ label: "Counted", tone: "accent", unit: what(2), values: final }, ...(open ? [{ label: "Still counting", tone: "counting", unit: `${what(2)} so far`, values: counting } as const] : [])]}
      tick={(seconds) => (interval === "1d" ? dayIn(seconds * 1000, true) : hourOf(seconds * 1000))}
      name={name}
      utc={interval === "1d"}
    />
  );
}
