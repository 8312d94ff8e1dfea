/* How far the figures reach, so that nobody takes what is not counted yet for what did not happen. */
import type { ReactNode } from "react";
import { Loaded } from "@/components/Loaded";
import { useFreshness } from "../api/figures";
import { freshnessWords } from "../model/freshness";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** Everything below is shown once the service has answered this at all: one part of the page says for all that it is away. */
export function Fresh({ aside, children }: { readonly aside: ReactNode; readonly children: ReactNode }) {
  const freshness = useFreshness();
  return (
    <Loaded query={freshness} saysOffline>
      {({ now, watermark, lag, late_last_day, rebuild }) => {
        const state = { watermark: watermark === null ? null : Date.parse(watermark), lag, late: late_last_day };
        const lines = freshnessWords(state, Date.parse(now), (at) => clock.format(at));
        return (
          <>
            <div className="figures-head">
              {aside}
              <p className="freshness" data-watermark={watermark ?? ""}>
                {lines.join(" ")}
                {rebuild !== null && " Older figures are being counted anew."}
              </p>
            </div>
            {children}
          </>
        );
      }}
    </Loaded>
  );
}
