/* Form fields beyond a line of text: a choice of few, a switch, and something shown once. */
import { type ReactNode, type SelectHTMLAttributes, useId, useState } from "react";
import { Button } from "./parts";

interface SelectProps extends SelectHTMLAttributes<HTMLSelectElement> {
  readonly label: string;
  readonly hint?: string;
  readonly problem?: string | undefined;
  readonly children: ReactNode;
}

export function Select({ label, hint, problem, children, ...rest }: SelectProps) {
  const id = useId();
  const note = problem ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} aria-invalid={problem !== undefined} aria-describedby={note ? `${id}-note` : undefined} {...rest}>
        {children}
      </select>
      {note && (
        <p id={`${id}-note`} className={problem ? "field-problem" : "field-hint"}>
          {note}
        </p>
      )}
    </div>
  );
}

interface CheckProps {
  readonly label: ReactNode;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

export function Check({ label, checked, onChange }: CheckProps) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span>{label}</span>
    </label>
  );
}

/** Two to five ways to look at the same thing; one is on. */
interface SegmentsProps<K extends string> {
  readonly label: string;
  readonly choices: readonly { readonly key: K; readonly label: string }[];
  readonly chosen: K;
  readonly onChoose: (key: K) => void;
}

export function Segments<K extends string>({ label, choices, chosen, onChoose }: SegmentsProps<K>) {
  const name = useId();
  return (
    <fieldset className="segments">
      <legend className="hidden">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.key}>
          <input type="radio" name={name} checked={choice.key === chosen} onChange={() => onChoose(choice.key)} />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** A secret that the server tells once: to be copied now, or made anew. */
export function ShownOnce({ label, value }: { readonly label: string; readonly value: string }) {
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = (): void => void navigator.clipboard?.writeText(value).then(() => setCopied(true), () => undefined);
  return (
    <div className="shown-once" role="status">
      <label htmlFor={id}>{label}</label>
      <div className="line">
        <input id={id} readOnly value={value} onFocus={(event) => event.target.select()} spellCheck={false} />
        <Button onClick={copy}>{copied ? "Copied" : "Copy"}</Button>
      </div>
      <p className="field-hint">It is shown this once. Keep it where the receiving program finds it.</p>
    </div>
  );
}
