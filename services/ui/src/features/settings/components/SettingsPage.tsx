/* How somebody wants to be told of what happens, and the devices that are told. */
import type { Channel } from "@/client";
import { PageFrame, Section } from "@/components/PageFrame";
import { ServiceGate, Waiting } from "@/components/ServiceGate";
import { useDevices } from "../api/devices";
import { usePreferences } from "../api/preferences";
import { ChoiceTable } from "./ChoiceTable";
import { Devices } from "./Devices";
import { Digest } from "./Digest";
import { Keywords } from "./Keywords";
import { Mutes } from "./Mutes";
import { QuietHours } from "./QuietHours";
import { Sessions } from "./Sessions";
import { Told } from "./Told";
import { Webhook } from "./Webhook";

interface Props {
  readonly channels: readonly Channel[];
  readonly onBack: () => void;
}

const ABSENT = "This platform runs without its notifications service, so nothing is sent and there is nothing to choose here.";

export default function SettingsPage({ channels, onBack }: Props) {
  return (
    <PageFrame title="Settings" about="When you are away, messages can come after you." onBack={onBack}>
      <div className="sections">
        <ServiceGate of="notifications" absent={ABSENT}>
          <Notifications channels={channels} />
        </ServiceGate>
        <Section title="Devices" about="Where push notifications go.">
          <Devices />
        </Section>
        <Section title="Sessions" about="Wherever you are signed in.">
          <Sessions />
        </Section>
      </div>
    </PageFrame>
  );
}

function Notifications({ channels }: { readonly channels: readonly Channel[] }) {
  const preferences = usePreferences();
  const devices = useDevices();
  const shown = preferences.shown;
  if (shown === undefined) return <Waiting query={preferences} />;
  return (
    <>
      <Section title="Notifications" about="What you are told of while you are away, and how.">
        <ChoiceTable preferences={shown} hasDevice={devices.data && devices.data.length > 0} />
      </Section>
      <Section title="Quiet hours" about="Nothing is sent meanwhile; what came is told when they end.">
        <QuietHours preferences={shown} />
      </Section>
      <Section title="Digest" about="When there is a lot, mails come together.">
        <Digest minutes={shown.digestMinutes} usual={shown.defaultDigest} />
      </Section>
      <Section title="Keywords" about="Words you want to be told of, whoever writes them in a channel of yours.">
        <Keywords keywords={shown.keywords} />
      </Section>
      <Section title="Muted channels" about="You are told nothing of them.">
        <Mutes channels={channels} />
      </Section>
      <Section title="Webhook" about="Notifications as signed HTTP requests to a program of yours.">
        <Webhook webhook={shown.webhook} />
      </Section>
      <Section title="Told lately" about="What you were told of, and what became of it.">
        <Told channels={channels} />
      </Section>
    </>
  );
}
