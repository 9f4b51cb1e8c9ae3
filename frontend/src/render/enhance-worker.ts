/** Filters pictures away from the page's own thread. */

import { applyFilters, type Filter } from "../core/enhance";

export interface Order {
  readonly samples: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly filters: readonly Filter[];
}

self.addEventListener("message", ({ data }: MessageEvent<Order>) => {
  postMessage(applyFilters(data.samples, data.width, data.height, data.filters));
});
