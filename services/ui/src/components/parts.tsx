/* The small parts every screen is made of. They know nothing of channels, messages or sessions. */
import { type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Problem, asProblem } from "@/client";
import { choose, isDark } from "@/lib/theme";
import { initials, tintOf } from "@/lib/words";
import { Icon, type IconName } from "./Icon";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: "primary" | "plain" | "danger";
  readonly busy?: boolean;
}

export function Button({ look = "plain", busy = false, className = "", children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={`button ${look} ${className}`} aria-busy={busy} disabled={busy} {...rest}>
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: IconName;
  readonly label: string;
}

export function IconButton({ icon, label, className = "", ...rest }: IconButtonProps) {
  return (
    <button type="button" className={`icon-button ${className}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  readonly label: string;
  readonly hint?: string;
  readonly problem?: string | undefined;
}

export function Field({ label, hint, problem, ...rest }: FieldProps) {
  const id = useId();
  const note = problem ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-invalid={problem !== undefined} aria-describedby={note ? `${id}-note` : undefined} {...rest} />
      {note && (
        <p id={`${id}-note`} className={problem ? "field-problem" : "field-hint"}>
          {problem ?? hint}
        </p>
      )}
    </div>
  );
}

export function Avatar({ id, name, state }: { readonly id: string; readonly name: string; readonly state?: string | undefined }) {
  return (
    <span className={`avatar tint-${tintOf(id)}`} aria-hidden="true">
      {initials(name)}
      {state && <span className={`presence ${state}`} />}
    </span>
  );
}

/** What went wrong and what to do. A field's own problem is shown at the field. */
export function ProblemNote({ error, fields = [] }: { readonly error: unknown; readonly fields?: readonly string[] }) {
  if (error === null || error === undefined) return null;
  const problem = asProblem(error);
  const others = problem.fields.filter(({ field }) => !fields.includes(field));
  if (problem.fields.length > 0 && others.length === 0) return null;
  return (
    <div className="problem" role="alert">
      <Icon name="warning" />
      <div>
        <p>{problem.message}</p>
        {others.map(({ field, message }) => (
          <p key={field}>
            {field}: {message}
          </p>
        ))}
        {problem.nextStep && <p className="problem-next">{sentence(problem.nextStep)}</p>}
      </div>
    </div>
  );
}

export function fieldProblem(error: unknown, field: string): string | undefined {
  return error instanceof Problem ? error.fields.find((each) => each.field === field)?.message : undefined;
}

/** Next steps are written for a line of text; on the page they begin like a sentence. */
export function sentence(text: string): string {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** A modal dialog of the browser: it keeps the focus inside, and Escape closes it. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    shown?.querySelector<HTMLElement>("input, textarea")?.focus();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby={heading}
      onCancel={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div className="dialog-body">
        <header>
          <h2 id={heading}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function ThemeToggle() {
  const [dark, setDark] = useState(isDark);
  const label = dark ? "Use light colours" : "Use dark colours";
  const toggle = (): void => {
    choose(dark ? "light" : "dark");
    setDark(!dark);
  };
  return <IconButton icon={dark ? "sun" : "moon"} label={label} onClick={toggle} />;
}

export function Brand() {
  return (
    <span className="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" className="brand-ground" />
        <path d="M7 20a9 9 0 0 1 9-9" className="brand-one" />
        <path d="M25 12a9 9 0 0 1-9 9" className="brand-two" />
        <circle cx="16" cy="16" r="2.600" className="brand-dot" />
      </svg>
      Signalink
    </span>
  );
}
