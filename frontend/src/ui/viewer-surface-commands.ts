/** Surfaces in panes: the command that shows them, and what loads the view when it is first wanted. */

import type { ViewerPage } from "../io/api";
import { JobApi } from "../io/reconstructions";
import { t } from "../core/text";
import { activePane, changePane } from "../state/panes";
import type { Store, ViewerState } from "../state/store";
import type { Command } from "./viewer-commands";
import { registerContent } from "./viewer-content";

type Change = (state: ViewerState) => ViewerState;

export function showSurface(paneId: string): Change {
  return changePane(paneId, (pane) => ({ ...pane, shows: "surface" }));
}

function toggleSurface(): Change {
  return (state) => {
    const { id, shows } = activePane(state);
    return changePane(id, (pane) => ({ ...pane, shows: shows === "surface" ? "stack" : "surface" }))(state);
  };
}

export function surfaceCommands(store: Store, openTissue: () => void): Command[] {
  return [
    {
      id: "surface",
      name: t("Surface (bone, skin)"),
      keys: ["$"],
      group: "volume",
      icon: "bone",
      run: () => store.change(toggleSurface()),
      isOn: (state) => activePane(state).shows === "surface",
    },
    { id: "tissue", name: t("Tissue: range and volume"), keys: [], group: "volume", icon: "pipette", run: openTissue },
  ];
}

/** Before the page starts. */
export function registerSurfaces(page: ViewerPage): void {
  const api = new JobApi(`${page.apiUrl}reconstructions/`, page.person.csrfToken);
  registerContent("surface", async (pane, house) => {
    const { makeSurface } = await import("./viewer-surface");
    return makeSurface(pane, house, api);
  });
}
