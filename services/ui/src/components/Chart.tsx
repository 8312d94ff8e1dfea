/* Numbers over time or over classes, drawn by uPlot on a canvas; the same numbers beside it as a sentence and as a table.
   Loaded only with the pages that draw. Colours come from the page's own, so a chart follows the theme. */
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { isDark, watchTheme } from "@/lib/theme";
import { sentence } from "./parts";

export interface ChartSeries {
  readonly label: string;
  /** A colour of styles/tokens.css, without the dashes. */
  readonly tone: "accent" | "counting" | "good" | "away" | "dnd";
  /** What a value of it is called: "3 messages". */
  readonly unit: string;
  /** Null: nothing is known here, nothing is drawn. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  /** What the chart says, in a sentence. */
  readonly says: string;
  readonly look: "bars" | "steps";
  /** Where each value begins: seconds since 1970, or 0, 1, 2 … for classes. */
  readonly at: readonly number[];
  /** How wide one value is, in the unit of `at`. */
  readonly step: number;
  readonly series: readonly ChartSeries[];
  /** What stands under the axis at a place of `at`. */
  readonly tick: (at: number) => string;
  /** The name of one value: for the reader under the pointer and for the table. */
  readonly name: (at: number) => string;
  /** Days are cut in UTC, so their axis is in UTC too. */
  readonly utc?: boolean;
  /** Classes instead of times: one tick for each that fits. */
  readonly classes?: boolean;
  readonly aside?: ReactNode;
}

const HEIGHT = 220;
const TICK_PX = 58;

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  useDrawn(box, props, setPointed);
  return (
    <figure className="chart">
      <figcaption>
        <h3>{props.title}</h3>
        {props.aside}
      </figcaption>
      <p className="chart-says" aria-live="off">
        {pointed === null ? props.says : readout(props, pointed)}
      </p>
      <div ref={box} className="chart-canvas" role="img" aria-label={`${props.title}: ${props.says}`} />
      {props.series.length > 1 && <Legend series={props.series} />}
      <AsTable {...props} />
    </figure>
  );
}

function Legend({ series }: { readonly series: readonly ChartSeries[] }) {
  return (
    <ul className="chart-legend" aria-hidden="true">
      {series.map(({ label, tone }) => (
        <li key={label} className={`tone-${tone}`}>
          {label}
        </li>
      ))}
    </ul>
  );
}

/** The rows are made only when somebody wants them. */
function AsTable({ title, at, series, name }: ChartProps) {
  const [open, setOpen] = useState(false);
  return (
    <details className="as-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        As a table<span className="hidden">: {title}</span>
      </summary>
      {open && (
        <div className="table-scroll" role="region" aria-label={`${title} as a table`} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{title}</th>
                {series.map(({ label }) => (
                  <th key={label} scope="col">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {at.map((place, index) => (
                <tr key={place}>
                  <th scope="row">{name(place)}</th>
                  {series.map(({ label, values }) => (
                    <td key={label}>{values[index] ?? "–"}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function readout({ at, series, name }: ChartProps, index: number): string {
  const known = series.filter(({ values }) => values[index] !== null && values[index] !== undefined);
  const parts = known.map(({ unit, values }) => `${values[index]} ${unit}`);
  return sentence(`${name(at[index] ?? 0)}: ${parts.length > 0 ? parts.join(", ") : "nothing is known"}`);
}

function useDrawn(box: React.RefObject<HTMLDivElement | null>, props: ChartProps, onPoint: (index: number | null) => void): void {
  const dark = useSyncExternalStore(watchTheme, isDark);
  const drawn = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const shape = `${props.look} ${props.step} ${props.at.length} ${props.series.map(({ label }) => label).join()}`;
  useLayoutEffect(() => {
    const host = box.current;
    if (host === null) return undefined;
    const made = new uPlot(options(host, () => latest.current, onPoint), dataOf(latest.current), host);
    drawn.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: host.clientWidth, height: HEIGHT }));
    observer.observe(host);
    return () => {
      observer.disconnect();
      drawn.current = null;
      made.destroy();
    };
  }, [box, shape, dark, onPoint]);
  useEffect(() => drawn.current?.setData(dataOf(props)), [props]);
}

/** A bar stands over the middle of its width; a step begins where it begins and goes on to its end. */
function dataOf({ at, step, series, look }: ChartProps): uPlot.AlignedData {
  if (look === "bars") return [at.map((place) => place + step / 2), ...series.map(({ values }) => [...values])];
  const end = (at.at(-1) ?? 0) + step;
  return [[...at, end], ...series.map(({ values }) => [...values, values.at(-1) ?? null])];
}

function options(host: HTMLElement, props: () => ChartProps, onPoint: (index: number | null) => void): uPlot.Options {
  const style = getComputedStyle(host);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const { look, series, utc, classes } = props();
  const text = { stroke: colour("text-soft"), font: `12px ${style.fontFamily}` };
  const zone = utc ? { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") } : {};
  return {
    ...zone,
    width: host.clientWidth,
    height: HEIGHT,
    padding: [10, 32, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: !classes, range: () => reach(props()) }, y: { range: (_, __, max) => [0, Math.max(4, max * 1.08)] } },
    axes: [
      {
        ...text,
        grid: { show: false },
        ticks: { stroke: colour("line"), size: 5 },
        space: TICK_PX,
        size: 34,
        values: (_, splits) => splits.map((at) => props().tick(at)),
        ...(classes ? { splits: (plot) => classSplits(props(), plot.width) } : {}),
      },
      { ...text, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, size: 46, incrs: WHOLE, values: (_, splits) => splits.map((value) => short.format(value)) },
    ],
    series: [{}, ...series.map((each) => drawing(look, each, colour))],
    hooks: { setCursor: [({ cursor: { idx } }) => onPoint(idx === null || idx === undefined ? null : Math.min(idx, props().at.length - 1))] },
  };
}

const short = new Intl.NumberFormat(undefined, { notation: "compact" });
const WHOLE = [1, 2, 5].flatMap((digit) => Array.from({ length: 10 }, (_, power) => digit * 10 ** power)).toSorted((one, other) => one - other);

function reach({ at, step }: ChartProps): [number, number] {
  const first = at[0] ?? 0;
  return [first, (at.at(-1) ?? first) + step];
}

/** Classes are named under their middle; where they are narrow only every second, third … is. */
function classSplits({ at, step }: ChartProps, width: number): number[] {
  const each = Math.max(1, Math.ceil((at.length * TICK_PX) / Math.max(1, width - 60)));
  return at.filter((_, index) => index % each === 0).map((place) => place + step / 2);
}

function drawing(look: ChartProps["look"], { label, tone }: ChartSeries, colour: (name: string) => string): uPlot.Series {
  const paths = look === "bars" ? uPlot.paths.bars?.({ size: [0.75, 44], radius: 0.15 }) : uPlot.paths.stepped?.({ align: 1 });
  return {
    label,
    stroke: colour(tone),
    points: { show: false },
    ...(look === "bars" ? { fill: colour(tone), width: 0 } : { width: 2 }),
    ...(paths ? { paths } : {}),
  };
}
