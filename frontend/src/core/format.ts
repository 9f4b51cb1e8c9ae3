/** Values as people read them. DICOM dates and times stay as the scanner wrote them. */

import type { NamedWindow, Window } from "./facts";

/** "20240131" and "2024-01-31" become the page's own way of writing a date; anything else stays. */
export function formatDate(value: string, locale: string): string {
  const parts = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(value.trim());
  if (parts === null) {
    return value;
  }
  const date = new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])));
  if (Number.isNaN(date.getTime())) {
    return value;
  }
  const shape = { day: "2-digit", month: "short", year: "numeric", timeZone: "UTC" } as const;
  return new Intl.DateTimeFormat(locale, shape).format(date);
}

/** "134501.123" and "13:45:01" become "13:45". */
export function formatTime(value: string): string {
  const parts = /^(\d{2}):?(\d{2})/.exec(value.trim());
  return parts === null ? value : `${parts[1]}:${parts[2]}`;
}

/** A number with as many places as it needs, at most `places`. */
export function formatNumber(value: number, places = 2): string {
  return `${Number(value.toFixed(places))}`;
}

/** Enough places for the window to be told from its neighbour. */
export function formatLevel(value: number, width: number): string {
  const places = width >= 20 ? 0 : Math.min(6, Math.max(1, Math.ceil(2 - Math.log10(Math.max(width, 1e-6)))));
  return formatNumber(value, places);
}

export function formatWindow(window: Window): string {
  return `W ${formatLevel(window.width, window.width)}  L ${formatLevel(window.center, window.width)}`;
}

export function windowName(window: NamedWindow, index: number): string {
  const name = window.explanation.trim();
  return name === "" ? `${index + 1}` : name;
}

export function formatZoom(scale: number): string {
  return `${Math.round(scale * 100)}%`;
}

