/** Icons, drawn for this page: 16 px, one stroke width, the colour of the text around them. */
import type { ReactNode } from "react";

interface IconProps {
  /** Edge in pixels; 16 unless given. */
  size?: number;
}

function Drawing({ size = 16, children }: IconProps & { children: ReactNode }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

const draw =
  (content: ReactNode) =>
  ({ size }: IconProps) => <Drawing {...(size ? { size } : {})}>{content}</Drawing>;

export const Check = draw(<path d="M3 8.5l3.2 3.2L13 5" />);
export const Cross = draw(<path d="M4 4l8 8M12 4l-8 8" />);
export const CircleCheck = draw(
  <>
    <circle cx="8" cy="8" r="6.2" />
    <path d="M5.2 8.2l2 2 3.6-4" />
  </>,
);
export const CircleCross = draw(
  <>
    <circle cx="8" cy="8" r="6.2" fill="currentColor" stroke="none" />
    <path d="M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4" stroke="var(--surface)" />
  </>,
);
export const Half = draw(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M8 2a6 6 0 010 12z" fill="currentColor" stroke="none" />
  </>,
);
export const Circle = draw(<circle cx="8" cy="8" r="5.6" strokeDasharray="2 2.4" />);
export const Hourglass = draw(
  <path d="M4.5 2h7M4.5 14h7M5 2c0 3.2 3 4 3 6s-3 2.8-3 6M11 2c0 3.2-3 4-3 6s3 2.8 3 6" />,
);
export const Hand = draw(
  <>
    <circle cx="8" cy="8" r="6.2" />
    <path d="M6.2 6.2a1.9 1.9 0 113 1.7c-.8.5-1.2.8-1.2 1.6M8 11.6v.1" />
  </>,
);
export const Warning = draw(<path d="M8 2.2l6.2 11.2H1.8zM8 6.4v3.2M8 11.6v.1" />);
export const Dash = draw(
  <>
    <circle cx="8" cy="8" r="6.2" />
    <path d="M5.2 8h5.6" />
  </>,
);
export const Slash = draw(
  <>
    <circle cx="8" cy="8" r="6.2" />
    <path d="M3.8 12.2l8.4-8.4" />
  </>,
);
export const ChevronRight = draw(<path d="M6 3.5L10.5 8 6 12.5" />);
export const ChevronDown = draw(<path d="M3.5 6L8 10.5 12.5 6" />);
export const Search = draw(
  <>
    <circle cx="7" cy="7" r="4.4" />
    <path d="M10.4 10.4L14 14" />
  </>,
);
export const Copy = draw(
  <>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.2" />
    <path d="M10.5 5.5v-2a1 1 0 00-1-1h-6a1 1 0 00-1 1v6a1 1 0 001 1h2" />
  </>,
);
export const Home = draw(<path d="M2.5 7.5L8 2.8l5.5 4.7V13.5h-4v-3.5h-3v3.5h-4z" />);
export const List = draw(<path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4v0M2.5 8v0M2.5 12v0" />);
export const Flow = draw(
  <>
    <rect x="2" y="2.5" width="5" height="4" rx="1" />
    <rect x="9" y="9.5" width="5" height="4" rx="1" />
    <path d="M4.5 6.5v5H9" />
  </>,
);
export const Gear = draw(
  <>
    <circle cx="8" cy="8" r="2.2" />
    <path d="M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6L5 5M11 11l1.4 1.4M3.6 12.4L5 11M11 5l1.4-1.4" />
  </>,
);
export const Server = draw(
  <>
    <rect x="2.5" y="2.5" width="11" height="4.5" rx="1" />
    <rect x="2.5" y="9" width="11" height="4.5" rx="1" />
    <path d="M5 4.750v0M5 11.250v0" />
  </>,
);
export const Padlock = draw(
  <>
    <rect x="3" y="7" width="10" height="6.5" rx="1" />
    <path d="M5.2 7V5a2.8 2.8 0 015.6 0v2" />
  </>,
);
export const Scroll = draw(<path d="M4 2.5h8v11H4zM6.2 5.5h3.6M6.2 8h3.6M6.2 10.5h2" />);
export const People = draw(
  <>
    <circle cx="6" cy="5.5" r="2.5" />
    <path d="M1.8 13.5c.4-2.8 2-4.2 4.2-4.2s3.8 1.4 4.2 4.2M10.5 3.2a2.5 2.5 0 010 4.6M12 9.6c1.3.6 2 1.9 2.2 3.9" />
  </>,
);
export const Cluster = draw(
  <>
    <circle cx="8" cy="3.5" r="1.7" />
    <circle cx="3.5" cy="12" r="1.7" />
    <circle cx="12.5" cy="12" r="1.7" />
    <path d="M7.2 5L4.3 10.5M8.8 5l2.9 5.5M5.2 12h5.6" />
  </>,
);
export const More = draw(<path d="M3.5 8v0M8 8v0M12.5 8v0" strokeWidth="2.4" />);
export const Moon = draw(<path d="M13.2 9.6A5.6 5.6 0 016.4 2.8a5.6 5.6 0 106.8 6.8z" />);
export const Person = draw(
  <>
    <circle cx="8" cy="5.2" r="2.7" />
    <path d="M2.8 13.8c.5-3 2.5-4.6 5.2-4.6s4.7 1.6 5.2 4.6" />
  </>,
);
export const Columns = draw(<path d="M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10" />);
export const Download = draw(<path d="M8 2.5v7.5M4.8 7L8 10.2 11.2 7M2.8 13.5h10.4" />);
export const Terminal = draw(<path d="M2 3h12v10H2zM4.5 6l2 2-2 2M8 10.2h3" />);
