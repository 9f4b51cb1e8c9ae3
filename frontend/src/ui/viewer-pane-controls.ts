/** Everything on the page with which panes are arranged, filled and linked. */

import type { Store } from "../state/store";
import type { Command } from "./viewer-commands";
import { SeriesDrag } from "./viewer-drag";
import { LayoutPicker } from "./viewer-layout";
import { PlaceLayer } from "./viewer-lines";
import { LinkMenu } from "./viewer-link-menu";
import { paneCommands } from "./viewer-pane-commands";
import type { Panes } from "./viewer-panes";
import type { SeriesStrip } from "./viewer-strip";

export class PaneControls {
  private readonly links: LinkMenu;
  readonly commands: readonly Command[];
  /** For the tool row. */
  readonly tools: readonly HTMLElement[];

  constructor(store: Store, panes: Panes, strip: SeriesStrip) {
    new SeriesDrag(strip.root, panes, store);
    panes.onPane((pane) => pane.addLayer(new PlaceLayer(store, pane.id)));
    const layouts = new LayoutPicker(store, () => panes.active.picture.focus({ preventScroll: true }));
    this.links = new LinkMenu(store);
    this.tools = [layouts.root, this.links.root];
    this.commands = paneCommands(store, {
      chooseLayout: () => layouts.toggle(),
      chooseSeries: () => strip.focus(),
    });
  }

  show(): void {
    this.links.show();
  }
}
