/* Icons, drawn here so that the page asks nobody else for them. They are decoration: the control beside has the name. */
import type { ReactNode } from "react";

const PATHS = {
  hash: <path d="M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16" />,
  lock: <path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3" />,
  plus: <path d="M12 5v14M5 12h14" />,
  compass: (
    <>
      <circle cx="12" cy="12" r="8.5" />
      <path d="m15.5 8.500-2 5-5 2 2-5z" />
    </>
  ),
  send: <path d="M5 12 4 4l17 8-17 8 1-8zm0 0h8" />,
  pencil: <path d="M4 20l1-4L16.500 4.500l3 3L8 19zM14 7l3 3" />,
  trash: <path d="M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5" />,
  back: <path d="M15 5l-7 7 7 7" />,
  down: <path d="M12 5v14M6 13l6 6 6-6" />,
  close: <path d="M6 6l12 12M18 6L6 18" />,
  people: (
    <>
      <circle cx="9" cy="8.500" r="3.500" />
      <path d="M2.500 19.500c.5-4 3-5.500 6.500-5.500s6 1.500 6.500 5.500M15.500 5.300a3.500 3.500 0 0 1 0 6.400M18 14.600c2 .6 3.200 2.200 3.500 4.900" />
    </>
  ),
  sun: (
    <>
      <circle cx="12" cy="12" r="4" />
      <path d="M12 2.500v2.500M12 19v2.500M2.500 12H5M19 12h2.500M5.300 5.300 7 7M17 17l1.700 1.700M5.300 18.700 7 17M17 7l1.700-1.700" />
    </>
  ),
  moon: <path d="M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z" />,
  leave: <path d="M10 4H5v16h5M9.500 12H20M16 8l4 4-4 4" />,
  chart: <path d="M4 4v16h16M8.500 16v-4M13 16V8M17.500 16v-6" />,
  sliders: (
    <>
      <path d="M4 7.500h9M19 7.500h1M4 16.500h1M11 16.500h9" />
      <circle cx="16" cy="7.500" r="2.600" />
      <circle cx="8" cy="16.500" r="2.600" />
    </>
  ),
  phone: <path d="M7.500 3h9v18h-9zM11 18h2" />,
  bell: <path d="M6 17h12l-1.500-2.500V10a4.500 4.500 0 0 0-9 0v4.500zM10 20h4" />,
  clock: (
    <>
      <circle cx="12" cy="12" r="8.500" />
      <path d="M12 7v5l3.500 2" />
    </>
  ),
  warning: <path d="M12 4 2.500 20h19zM12 10v4.500M12 17.200v.3" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}
