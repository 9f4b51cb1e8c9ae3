/** Fetches what lies over images, one image at a time as it is looked at, and keeps the last ones. */

import type { ImageFacts } from "../core/facts";
import { composeOverlays, readOverlays } from "../core/overlays";

const KEPT_IMAGES = 64;

export class OverlayLoader {
  /** undefined: under way; null: nothing lies over it; "failed": it could not be had. */
  private readonly kept = new Map<string, Uint8Array | null | "failed" | undefined>();

  constructor(private readonly onNews: () => void) {}

  /** What lies over an image; asks for it when it is not here. */
  of(facts: ImageFacts, stackUrl: string): Uint8Array | null | undefined {
    if (!this.kept.has(facts.key)) {
      this.keep(facts.key, undefined);
      void this.fetch(facts, stackUrl);
    }
    const over = this.kept.get(facts.key);
    return over === "failed" ? null : over;
  }

  /** Whether overlays of the image could not be had, so that the picture can say so. */
  hasFailed(key: string): boolean {
    return this.kept.get(key) === "failed";
  }

  private async fetch(facts: ImageFacts, stackUrl: string): Promise<void> {
    const path = `../../../instances/${facts.instanceId}/frames/${facts.frame}/overlays/`;
    const address = new URL(path, new URL(stackUrl, location.href)).href;
    let over: Uint8Array | null | "failed" = "failed";
    try {
      const response = await fetch(address, { credentials: "same-origin" });
      if (response.ok) {
        over = composeOverlays(readOverlays(await response.arrayBuffer()), facts.rows, facts.columns);
      }
    } catch {
      // The connection broke: told by the picture, asked again when the page is loaded anew.
    }
    this.keep(facts.key, over);
    this.onNews();
  }

  private keep(key: string, over: Uint8Array | null | "failed" | undefined): void {
    this.kept.delete(key);
    this.kept.set(key, over);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= KEPT_IMAGES) {
        return;
      }
      this.kept.delete(oldest);
    }
  }
}
