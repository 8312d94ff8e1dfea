/* How values are spread over classes. */
import { Chart } from "@/components/Chart";
import { type Class, type Naming, classNames, counted, shareWords } from "../model/histogram";
import { plain } from "../model/windows";

interface Props {
  readonly title: string;
  readonly classes: readonly Class[];
  readonly unit: (count: number) => string;
  readonly name: Naming;
  readonly whole?: boolean;
}

export function HistogramChart({ title, classes, unit, name, whole = false }: Props) {
  const names = classNames(classes, name, whole);
  const sum = counted(classes);
  const half = shareWords(classes, 0.5, name);
  const says = half === null ? `No ${unit(0)} in this time.` : `${plain(sum)} ${unit(sum)}; half of them ${half}, 95 of 100 ${shareWords(classes, 0.95, name)}.`;
  return (
    <Chart
      title={title}
      says={says}
      look="bars"
      at={classes.map((_, index) => index)}
      step={1}
      series={[{ label: "Count", tone: "accent", unit: unit(2), values: classes.map(({ count }) => count) }]}
      tick={(at) => tickName(classes, Math.floor(at), name)}
      name={(at) => names[Math.floor(at)] ?? ""}
      classes
    />
  );
}

/** Under the axis only the bound fits. */
function tickName(classes: readonly Class[], index: number, name: Naming): string {
  const upTo = classes[index]?.upTo;
  const below = classes[index - 1]?.upTo;
  if (typeof upTo === "number") return `≤ ${name(upTo)}`;
  return typeof below === "number" ? `> ${name(below)}` : "";
}
