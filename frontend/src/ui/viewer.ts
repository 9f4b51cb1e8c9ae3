/** The viewer page: reads what the server put into it, builds the parts, and starts. */

import { useCatalogue } from "../core/text";
import { readPage } from "../io/api";
import { wireMenus } from "./menus";
import { wireSendTo } from "./send-to";
import { startViewer } from "./viewer-app";
import { registerSurfaces } from "./viewer-surface-commands";
import { registerContent } from "./viewer-content";

registerContent("volume", async (pane, house) => (await import("./viewer-body")).makeBody(pane, house));

const source = document.getElementById("noctis-viewer");
const root = document.getElementById("viewer-root");

if (source !== null && root !== null) {
  const page = readPage(source.textContent ?? "{}");
  useCatalogue(page.texts);
  registerSurfaces(page);
  wireMenus();
  wireSendTo();
  startViewer(page, root);
}
