/** Numbers as people read them on the picture. */

import type { Window } from "./facts";

/** A number with as many places as it needs, at most `places`. */
export function formatNumber(value: number, places = 2): string {
  return `${Number(value.toFixed(places))}`;
}

/** Enough places for the window to be told from its neighbour. */
export function formatLevel(value: number, width: number): string {
  if (Number.isNaN(value)) {
    return "";
  }
  const places = width >= 20 ? 0 : Math.min(6, Math.max(1, Math.ceil(2 - Math.log10(Math.max(width, 1e-6)))));
  return formatNumber(value, places);
}

export function formatWindow(window: Window): string {
  return Number.isNaN(window.width) ? "" : `W ${formatLevel(window.width, window.width)}  L ${formatLevel(window.center, window.width)}`;
}

export function formatZoom(scale: number): string {
  return `${Math.round(scale * 100)}%`;
}

