/* Hours in which nothing is sent, in the time of a zone. Saved by a button, since three fields belong together. */
import { type FormEvent, useState } from "react";
import { Check, Select } from "@/components/fields";
import { Button, Field, ProblemNote, fieldProblem } from "@/components/parts";
import { clockOf } from "@/lib/time";
import { OWN_ZONE, clockIn, zones } from "@/lib/zones";
import { useChange } from "../api/preferences";
import { type Preferences, quietWords } from "../model/preferences";

const FIELDS = ["quiet_hours", "quiet_hours.begin", "quiet_hours.end", "time_zone"];

interface Draft {
  readonly on: boolean;
  readonly begin: string;
  readonly end: string;
  readonly zone: string;
}

function draftOf({ quiet, timeZone }: Preferences): Draft {
  const unset = quiet === null && timeZone === "UTC";
  return { on: quiet !== null, begin: quiet?.begin ?? "22:00", end: quiet?.end ?? "07:00", zone: unset ? OWN_ZONE : timeZone };
}

export function QuietHours({ preferences }: { readonly preferences: Preferences }) {
  const { quiet, timeZone } = preferences;
  const [draft, setDraft] = useState<Draft | null>(null);
  const change = useChange(() => setDraft(null));
  const saved = draftOf(preferences);
  const { on, begin, end, zone } = draft ?? saved;
  const edit = (part: Partial<Draft>): void => setDraft({ on, begin, end, zone, ...part });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (on && begin === end) return;
    change.mutate({ what: "quiet", quiet: on ? { begin, end } : null, timeZone: zone });
  };
  const changed = draft !== null && (on !== saved.on || (on && (begin !== saved.begin || end !== saved.end || zone !== saved.zone)));
  return (
    <form className="form" onSubmit={submit}>
      <Check label="Keep quiet at certain hours" checked={on} onChange={(checked) => edit({ on: checked })} />
      {on && <Hours draft={{ on, begin, end, zone }} error={change.error} onEdit={edit} />}
      <ProblemNote error={change.error} fields={FIELDS} />
      <Saving busy={change.isPending} changed={changed} saved={quiet === null ? "Nothing is held back." : `Quiet ${quietWords(quiet, clockOf)} (${timeZone}).`} />
    </form>
  );
}

interface HoursProps {
  readonly draft: Draft;
  readonly error: unknown;
  readonly onEdit: (part: Partial<Draft>) => void;
}

function Hours({ draft: { begin, end, zone }, error, onEdit }: HoursProps) {
  const clock = clockIn(zone, new Date());
  const empty = begin === end ? "Quiet hours must end at another time than they begin" : undefined;
  return (
    <div className="fields">
      <Field label="From" type="time" required value={begin} onChange={(event) => onEdit({ begin: event.target.value })} problem={fieldProblem(error, "quiet_hours.begin")} />
      <Field label="Until" type="time" required value={end} onChange={(event) => onEdit({ end: event.target.value })} problem={empty ?? fieldProblem(error, "quiet_hours.end") ?? fieldProblem(error, "quiet_hours")} />
      <Select
        label="Time zone"
        value={zone}
        onChange={(event) => onEdit({ zone: event.target.value })}
        hint={clock === null ? "" : `It is ${clock} there now.`}
        problem={fieldProblem(error, "time_zone")}
      >
        {zones(zone).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
    </div>
  );
}

interface SavingProps {
  readonly busy: boolean;
  readonly changed: boolean;
  /** What holds now, in words. */
  readonly saved: string;
}

export function Saving({ busy, changed, saved }: SavingProps) {
  return (
    <div className="line">
      <Button type="submit" look={changed ? "primary" : "plain"} busy={busy} disabled={!changed || busy}>
        Save
      </Button>
      <p className="field-hint" role="status">
        {busy ? "Saving…" : changed ? "Not saved yet." : saved}
      </p>
    </div>
  );
}
