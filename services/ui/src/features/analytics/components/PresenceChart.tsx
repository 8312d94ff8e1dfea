/* Who was around: of everybody how many on average, of oneself how much of the time. Best effort, and said so. */
import { Chart } from "@/components/Chart";
import { Loaded } from "@/components/Loaded";
import { usePresence } from "../api/figures";
import { dayIn, hourOf, momentName } from "../model/names";
import { type Range, STEP_MS } from "../model/ranges";

interface Props {
  readonly range: Range;
  readonly of: "me" | "all";
}

const STATES = [
  { state: "online", label: "Online", tone: "good" },
  { state: "away", label: "Away", tone: "away" },
  { state: "dnd", label: "Do not disturb", tone: "dnd" },
] as const;

export function PresenceChart({ range, of }: Props) {
  const factor = of === "me" ? 100 : 1;
  return (
    <Loaded query={usePresence(range, of)}>
      {({ points, range: { interval } }) => (
        <Chart
          title={of === "me" ? "How much of the time you were around" : "People around"}
          says={of === "me" ? "In per cent of each window; presence is best effort." : "On average of each window; presence is best effort."}
          look="steps"
          at={points.map(({ at }) => Date.parse(at) / 1000)}
          step={STEP_MS[interval] / 1000}
          series={STATES.map(({ state, label, tone }) => ({ label, tone, unit: `${of === "me" ? "% " : ""}${label.toLowerCase()}`, values: points.map((point) => scaled(point[state], factor)) }))}
          tick={(seconds) => (interval === "1d" ? dayIn(seconds * 1000, true) : hourOf(seconds * 1000))}
          name={(seconds) => momentName(seconds * 1000, interval)}
          utc={interval === "1d"}
        />
      )}
    </Loaded>
  );
}

const scaled = (value: number | null, factor: number): number | null => (value === null ? null : Math.round(value * factor * 10) / 10);
