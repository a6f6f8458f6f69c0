import type { JSX } from 'preact'

/** Line icons on a grid of 16, drawn for this page. */
const SHAPES = {
  ready: <circle cx="8" cy="8" r="4.5" class="solid" />,
  starting: <path d="M8 2.750a5.250 5.250 0 1 1-5.250 5.250" />,
  busy: (
    <>
      <circle cx="8" cy="8" r="5.250" />
      <circle cx="8" cy="8" r="2" class="solid" />
    </>
  ),
  stopping: <path d="M8 3v9M4.500 8.500 8 12l3.500-3.500" />,
  stopped: <rect x="4" y="4" width="8" height="8" rx="1.500" />,
  cycling: (
    <path d="M12.800 6.500A5.200 5.200 0 0 0 3.400 5.700M3.200 9.500a5.200 5.200 0 0 0 9.400.8M3 2.800v3h3M13 13.200v-3h-3" />
  ),
  cross: <path d="m4.250 4.250 7.500 7.500m0-7.500-7.500 7.500" />,
  warning: <path d="M8 2.500 14 13H2zM8 6.500v3M8 11.200v.1" />,
  unknown: <path d="M6 6.200a2 2 0 1 1 2.700 1.900c-.5.2-.7.6-.7 1.100v.3M8 12v.1" />,
  paused: <path d="M5.750 4v8m4.500-8v8" />,
  check: <path d="m3.500 8.500 3 3 6-7" />,
  dash: <path d="M4 8h8" />,
  ring: <circle cx="8" cy="8" r="4.750" />,
  back: <path d="M6 3.500 2.750 6.750 6 10M3 6.750h6.500a3.250 3.250 0 0 1 0 6.500H7" />,
  swap: (
    <path d="M2.500 5.500h10M9.800 2.800l2.700 2.700-2.700 2.700M13.500 10.500h-10M6.200 7.800l-2.700 2.700 2.700 2.700" />
  ),
  copy: <path d="M5.500 5.500v-3h8v8h-3M2.500 5.500h8v8h-8z" />,
  upload: <path d="M8 10.500v-8M4.500 6 8 2.500 11.500 6M2.500 11v2.500h11V11" />,
  next: <path d="m6 3.500 4.500 4.500L6 12.500" />,
  sun: (
    <path d="M8 5.250a2.750 2.750 0 1 0 0 5.500 2.750 2.750 0 0 0 0-5.500M8 1.500v1.250M8 13.250v1.250M1.500 8h1.250M13.250 8h1.250M3.400 3.400l.9.9M11.700 11.700l.9.9M3.400 12.600l.9-.9M11.700 4.300l.9-.9" />
  ),
  moon: <path d="M13 9.700A5.600 5.600 0 0 1 6.300 3a5.600 5.600 0 1 0 6.700 6.700z" />,
  system: <path d="M2 3h12v8H2zM6 13.500h4" />,
} as const

export type IconName = keyof typeof SHAPES

/** Purely for the eye: what it says is always said in text beside it. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg
      class={`icon icon-${name}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[name]}
    </svg>
  )
}
