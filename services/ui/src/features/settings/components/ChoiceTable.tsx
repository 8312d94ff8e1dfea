/* Kinds of notification by ways they can take; each box is saved by itself, at once. */
import { Button, ProblemNote } from "@/components/parts";
import { useChange } from "../api/preferences";
import { KINDS, type Preferences, WAYS } from "../model/preferences";
import { KIND_WORDS, WAY_WORDS } from "../model/words";

interface Props {
  readonly preferences: Preferences;
  readonly hasDevice: boolean | undefined;
}

export function ChoiceTable({ preferences, hasDevice }: Props) {
  const change = useChange();
  const email = useChange();
  return (
    <>
      {!preferences.email && (
        <div className="trouble inset" role="status">
          <p>You stopped all mail, here or by the link in one; no mail is sent to you, whatever is chosen below.</p>
          <Button onClick={() => email.mutate({ what: "email", on: true })}>Send mail again</Button>
        </div>
      )}
      <div className="table-scroll">
        <table className="choice-table">
          <thead>
            <tr>
              <th scope="col">Tell me of</th>
              {WAYS.map((way) => (
                <th key={way} scope="col">
                  {WAY_WORDS[way]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {KINDS.map((kind) => (
              <tr key={kind}>
                <th scope="row">
                  {KIND_WORDS[kind].many}
                  <span className="choice-about">{KIND_WORDS[kind].about}</span>
                </th>
                {WAYS.map((way) => (
                  <td key={way}>
                    <input
                      type="checkbox"
                      aria-label={`${KIND_WORDS[kind].many} by ${WAY_WORDS[way].toLowerCase()}`}
                      checked={preferences.choices[kind][way]}
                      onChange={(event) => change.mutate({ what: "choice", kind, way, on: event.target.checked })}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ProblemNote error={change.error ?? email.error} />
      {hasDevice === false && KINDS.some((kind) => preferences.choices[kind].push) && (
        <p className="field-hint">Push goes to devices; none is registered yet.</p>
      )}
      {preferences.webhook === null && KINDS.some((kind) => preferences.choices[kind].webhook) && (
        <p className="field-hint">The webhook has no address yet; nothing goes that way until it has.</p>
      )}
      {preferences.email && (
        <div className="line">
          <Button onClick={() => email.mutate({ what: "email", on: false })}>Stop all mail</Button>
        </div>
      )}
    </>
  );
}
