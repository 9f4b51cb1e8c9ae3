/** Under a series of the strip: its pictures and videos one by one, where a series has both or several videos. */

import type { Stack } from "../core/facts";
import { t } from "../core/text";
import { openSeries } from "../state/changes";
import type { Store } from "../state/store";
import { showInstance } from "../state/video";
import { icon, make, setAttribute } from "./dom";

/** More would bury the series below. */
const PARTS_LIMIT = 60;

export interface Part {
  readonly instanceId: string;
  readonly isVideo: boolean;
  readonly count: number;
}

/** The objects of a stack in its order; none where there is but one, or no video. */
export function partsOf(stack: Stack): readonly Part[] {
  const parts = new Map<string, Part>();
  for (const { instanceId, videoUrl } of stack.images) {
    const count = (parts.get(instanceId)?.count ?? 0) + 1;
    parts.set(instanceId, { instanceId, isVideo: videoUrl !== "", count });
  }
  const all = [...parts.values()];
  return all.length > 1 && all.some(({ isVideo }) => isVideo) ? all.slice(0, PARTS_LIMIT) : [];
}

export class StripParts {
  readonly root = make("span", { class: "strip-parts", hidden: true });
  private drawn: Stack | undefined;

  constructor(
    private readonly store: Store,
    private readonly seriesId: string,
  ) {}

  /** `shownId`: the object that the active pane shows. */
  show(stack: Stack | undefined, shownId: string): void {
    if (stack !== undefined && stack !== this.drawn) {
      this.drawn = stack;
      const parts = partsOf(stack);
      this.root.hidden = parts.length === 0;
      this.root.replaceChildren(...parts.map((part, place) => this.makeButton(part, place)));
    }
    for (const button of this.root.children) {
      setAttribute(button, "aria-current", button.getAttribute("data-instance") === shownId ? "true" : null);
    }
  }

  private makeButton({ instanceId, isVideo, count }: Part, place: number): HTMLElement {
    const images = count === 1 ? t("1 image") : t("{count} images", { count });
    const name = `${isVideo ? t("Video") : t("Picture")} ${place + 1}, ${images}`;
    const attributes = { type: "button", class: "strip-part", title: name, "aria-label": name, "data-instance": instanceId };
    const button = make("button", attributes, icon(isVideo ? "play" : "image"), `${place + 1}`);
    button.addEventListener("click", () => {
      this.store.change(openSeries(this.seriesId));
      this.store.change(showInstance(instanceId));
    });
    return button;
  }
}
