/** Everything on the page with which panes are arranged, filled and linked. */

import type { ViewerPage } from "../io/api";
import type { Store } from "../state/store";
import { CrosshairHand } from "../tools/crosshair";
import type { Command } from "./viewer-commands";
import { Banner } from "./viewer-banner";
import { CrosshairLayer } from "./viewer-crosshair";
import { SeriesDrag } from "./viewer-drag";
import { FuseDrop } from "./viewer-fuse-drop";
import { LayoutPicker } from "./viewer-layout";
import { PlaceLayer } from "./viewer-lines";
import { LinkMenu } from "./viewer-link-menu";
import { paneCommands } from "./viewer-pane-commands";
import type { Panes } from "./viewer-panes";
import { PriorList } from "./viewer-priors";
import { SavedLayouts } from "./viewer-saved-layouts";
import type { SeriesStrip } from "./viewer-strip";
import { leaving } from "./viewer-tool-row";
import { Windows } from "./viewer-windows";

export class PaneControls {
  private readonly links: LinkMenu;
  private readonly priors: PriorList;
  private readonly banner: Banner;
  readonly commands: readonly Command[];
  /** For the tool row. */
  readonly tools: readonly HTMLElement[];

  constructor(page: ViewerPage, store: Store, panes: Panes, strip: SeriesStrip, say: (words: string) => void) {
    new SeriesDrag(strip.root, panes, store, new FuseDrop(store, say));
    panes.onPane((pane) => {
      pane.addLayer(new PlaceLayer(store, pane.id));
      pane.addLayer(new CrosshairLayer(store, pane.id));
      new CrosshairHand(pane.picture, store, pane.id, () => pane.viewport);
    });
    const layouts = new LayoutPicker(store, new SavedLayouts(store, page), () => panes.active.picture.focus({ preventScroll: true }));
    this.links = new LinkMenu(store);
    this.priors = new PriorList(store, say);
    strip.root.append(this.priors.root);
    this.banner = new Banner(store, document.getElementById("patient-banner"));
    this.tools = [leaving(layouts.root, "layouts"), leaving(this.links.root, "links")];
    const windows = new Windows(store, page.person.username, () => store.announce());
    strip.tellElsewhere((seriesId) => windows.isElsewhere(seriesId));
    this.commands = paneCommands(store, {
      chooseLayout: () => layouts.toggle(),
      chooseSeries: () => strip.focus(),
      togglePrior: () => this.priors.toggleBest(),
      openWindow: () => windows.open(),
    });
  }

  show(): void {
    this.links.show();
    this.priors.show();
    this.banner.show();
  }
}
