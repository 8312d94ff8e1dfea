/* How far the figures reach, so that nobody takes what is not counted yet for what did not happen. */
import { Loaded } from "@/components/Loaded";
import { useFreshness } from "../api/figures";
import { freshnessWords } from "../model/freshness";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export function FreshnessLine() {
  const freshness = useFreshness();
  return (
    <div className="freshness">
      <Loaded query={freshness} saysOffline>
        {({ now, watermark, lag, late_last_day, rebuild }) => {
          const state = { watermark: watermark === null ? null : Date.parse(watermark), lag, late: late_last_day };
          const lines = freshnessWords(state, Date.parse(now), (at) => clock.format(at));
          return (
            <p data-watermark={watermark ?? ""}>
              {lines.join(" ")}
              {rebuild !== null && " Older figures are being counted anew."}
            </p>
          );
        }}
      </Loaded>
    </div>
  );
}
