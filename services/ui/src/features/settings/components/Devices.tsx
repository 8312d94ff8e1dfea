/* Devices that push notifications go to. Apps register themselves; by hand it takes the token that Firebase gave a device. */
import { type FormEvent, useState } from "react";
import { Icon } from "@/components/Icon";
import { Button, Field, ProblemNote, fieldProblem } from "@/components/parts";
import { Waiting } from "@/components/ServiceGate";
import { whenOf } from "@/lib/time";
import { useDevices, useRegisterDevice, useRemoveDevice } from "../api/devices";

const FIELDS = ["name", "push_token"];

export function Devices() {
  const devices = useDevices();
  const remove = useRemoveDevice();
  if (devices.data === undefined) return <Waiting query={devices} />;
  return (
    <>
      {devices.data.length === 0 && <p className="absent">No device is registered.</p>}
      <ul className="rows" aria-label="Devices">
        {devices.data.map((device) => (
          <li key={device.id}>
            <Icon name="phone" />
            <span className="row-main">
              <span className="row-name">{device.name || "A device without a name"}</span>
              <span className="row-about">Seen {whenOf(device.last_seen_at)}</span>
            </span>
            <Button aria-label={`Remove ${device.name || "the device without a name"}`} onClick={() => remove.mutate(device.id)}>
              Remove
            </Button>
          </li>
        ))}
      </ul>
      <ProblemNote error={remove.error} />
      <Register />
    </>
  );
}

function Register() {
  const [name, setName] = useState("");
  const [token, setToken] = useState("");
  const register = useRegisterDevice(() => {
    setName("");
    setToken("");
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    register.mutate({ name: name.trim(), push_token: token.trim() });
  };
  return (
    <details className="more">
      <summary>Register a device by hand</summary>
      <form className="form" onSubmit={submit}>
        <Field label="Name of the device" maxLength={100} value={name} onChange={(event) => setName(event.target.value)} problem={fieldProblem(register.error, "name")} />
        <Field
          label="Push token"
          required
          maxLength={4096}
          autoComplete="off"
          spellCheck={false}
          value={token}
          onChange={(event) => setToken(event.target.value)}
          hint="What Firebase Cloud Messaging gave the device. It is kept as a secret and never shown again."
          problem={fieldProblem(register.error, "push_token")}
        />
        <ProblemNote error={register.error} fields={FIELDS} />
        <div className="line">
          <Button type="submit" look="primary" busy={register.isPending}>
            Register
          </Button>
        </div>
      </form>
    </details>
  );
}
