/* The screens beside the channels, at the foot of the sidebar. */
import { Icon, type IconName } from "@/components/Icon";
import type { Place } from "@/lib/router";

interface Props {
  readonly place: Place;
  readonly onGo: (place: Place) => void;
}

const PLACES: readonly { readonly to: Place; readonly icon: IconName; readonly label: string }[] = [
  { to: { at: "analytics", channel: null }, icon: "chart", label: "Analytics" },
  { to: { at: "settings" }, icon: "sliders", label: "Settings" },
];

export function Places({ place, onGo }: Props) {
  return (
    <ul className="places">
      {PLACES.map(({ to, icon, label }) => (
        <li key={label}>
          <button type="button" className="channel" aria-current={place.at === to.at ? "page" : undefined} onClick={() => onGo(to)}>
            <Icon name={icon} />
            <span className="channel-name">{label}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
