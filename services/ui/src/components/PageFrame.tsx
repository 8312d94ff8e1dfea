/* A screen beside the sidebar that is no conversation: its head with the way back on a phone, and its scrolling body. */
import { type ReactNode, useId } from "react";
import { IconButton } from "./parts";

interface Props {
  readonly title: string;
  readonly about?: ReactNode;
  readonly onBack: () => void;
  readonly backLabel?: string;
  /** The way back is there on wide screens too: to the page this one is a part of. */
  readonly inner?: boolean;
  readonly children: ReactNode;
}

export function PageFrame({ title, about, onBack, backLabel = "Back to channels", inner = false, children }: Props) {
  return (
    <div className="page">
      <header className="channel-head">
        <IconButton icon="back" label={backLabel} className={inner ? "" : "back"} onClick={onBack} />
        <div className="channel-title">
          <h1>
            <span>{title}</span>
          </h1>
          {about && <p>{about}</p>}
        </div>
      </header>
      <div className="page-body">{children}</div>
    </div>
  );
}

interface SectionProps {
  readonly title: string;
  readonly about?: ReactNode;
  readonly children: ReactNode;
}

export function Section({ title, about, children }: SectionProps) {
  const heading = useId();
  return (
    <section className="section" aria-labelledby={heading}>
      <header>
        <h2 id={heading}>{title}</h2>
        {about && <p>{about}</p>}
      </header>
      <div className="section-body">{children}</div>
    </section>
  );
}
