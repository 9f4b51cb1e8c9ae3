/** Actions on panes and layouts. */

import { t } from "../core/text";
import { stepPane, toggleMaximised } from "../state/layouts";
import { setCursor, toggleLink } from "../state/links";
import type { Store, ViewerState } from "../state/store";
import type { Command } from "./viewer-commands";
import { LAYOUT_KEY } from "./viewer-layout";
import { linkNames } from "./viewer-link-menu";

/** What the page can do that is not in the state. */
export interface PaneActions {
  readonly chooseLayout: () => void;
  readonly chooseSeries: () => void;
  readonly togglePrior: () => void;
  readonly openWindow: () => void;
}

export function paneCommands(store: Store, actions: PaneActions): Command[] {
  const command = (id: string, name: string, key: string, run: () => void): Command => ({
    id,
    name,
    keys: [key],
    group: "panes",
    run,
  });
  return [
    command("layout", t("Layout"), LAYOUT_KEY, actions.chooseLayout),
    {
      ...command("this-pane-alone", t("This pane alone"), "M", () => store.change(toggleMaximised())),
      icon: "expand",
      isOn: (state) => state.isMaximised,
    },
    command("next-pane", t("Next pane"), "j", () => store.change(stepPane(1))),
    command("previous-pane", t("Previous pane"), "J", () => store.change(stepPane(-1))),
    command("choose-a-series", t("Choose a series"), "B", actions.chooseSeries),
    {
      ...command("prior-beside", t("Prior beside"), "/", actions.togglePrior),
      icon: "history",
      isOn: (state) => state.beforePrior !== null,
    },
    { ...command("one-more-window", t("One more window"), "|", actions.openWindow), icon: "monitor" },
    ...linkNames().map(([name, words, key]) => ({
      ...command(`link-${name.toLowerCase()}`, words, key, () => store.change(toggleLink(name))),
      isOn: ({ links }: ViewerState) => links[name],
    })),
    command("take-the-3d-cursor-away", t("Take the 3D cursor away"), ":", () => store.change(setCursor(null))),
  ];
}
