/** The panes on the page, made and taken away as the state has them, in a grid. */

import { toggleMaximised } from "../state/layouts";
import { activePane } from "../state/panes";
import { isPlainTool } from "../tools/pointer";
import { make, setAttribute } from "./dom";
import { reportPlane, type PaneReport } from "./viewer-debug";
import { ViewerPane, type PaneHouse } from "./viewer-pane";

export class Panes {
  readonly root = make("div", { class: "panes" });
  private readonly shown = new Map<string, ViewerPane>();
  private readonly makers: ((pane: ViewerPane) => void)[] = [];

  constructor(private readonly house: PaneHouse) {}

  /** Does something with every pane that is there and every one that will be. */
  onPane(maker: (pane: ViewerPane) => void): void {
    this.makers.push(maker);
    this.shown.forEach((pane) => maker(pane));
  }

  get all(): readonly ViewerPane[] {
    return [...this.shown.values()];
  }

  /** The pane that keys, tools and panels act on. */
  get active(): ViewerPane {
    const { id } = activePane(this.house.store.state);
    return this.shown.get(id) ?? this.add(id);
  }

  /** After every change: makes the panes of the state, and lets each fetch what it wants. */
  follow(): void {
    const { panes, layout, isMaximised, activePaneId } = this.house.store.state;
    for (const [id, pane] of this.shown) {
      if (!panes.some((one) => one.id === id)) {
        this.shown.delete(id);
        pane.dispose();
      }
    }
    panes.forEach(({ id }, place) => {
      const { root } = this.shown.get(id) ?? this.add(id);
      if (this.root.children[place] !== root) {
        this.root.insertBefore(root, this.root.children[place] ?? null);
      }
      root.hidden = isMaximised && id !== activePaneId;
      root.dataset["number"] = `${place + 1}`;
    });
    this.root.style.setProperty("--rows", `${isMaximised ? 1 : layout.rows}`);
    this.root.style.setProperty("--columns", `${isMaximised ? 1 : layout.columns}`);
    setAttribute(this.root, "data-in-a-row", layout.rows === 1 && layout.columns > 2 && !isMaximised);
    this.root.classList.toggle("is-many", panes.length > 1 && !isMaximised);
    this.house.volumes.follow();
    this.active.takePrecedence();
    this.shown.forEach((pane) => pane.follow());
    this.house.traffic.pump();
  }

  /** Asks once more for what could not be had. */
  retryFailed(): void {
    this.shown.forEach((pane) => pane.retry());
  }

  draw(): void {
    this.shareScales();
    this.shown.forEach((pane) => pane.draw());
  }

  /** Panes of one group show a millimetre alike long: as long as the largest picture allows. */
  private shareScales(): void {
    const scales = new Map<string, number>();
    const groupOf = (pane: ViewerPane): string => pane.state?.hang?.group ?? "";
    for (const pane of this.shown.values()) {
      const scale = pane.fittingScale;
      if (scale !== null) {
        scales.set(groupOf(pane), Math.min(scale, scales.get(groupOf(pane)) ?? scale));
      }
    }
    this.shown.forEach((pane) => pane.shareScale(scales.get(groupOf(pane)) ?? null));
  }

  /** What each pane shows, in the order of the page. */
  report(): PaneReport[] {
    return this.house.store.state.panes.map(({ id, seriesId, look, shows }) => {
      const pane = this.shown.get(id);
      const shown = pane?.viewport.shown ?? null;
      return {
        seriesId,
        index: look.index,
        scene: pane?.scene.kind ?? "",
        sopInstanceUid: shown?.facts.sopInstanceUid ?? null,
        view: shown === null ? null : { ...shown.view },
        isActive: id === this.house.store.state.activePaneId,
        shows,
        plane: pane === undefined ? null : reportPlane(pane, this.house.store.state.mpr.get(seriesId)),
      };
    });
  }

  /** The pane at a place of the window. */
  at(clientX: number, clientY: number): ViewerPane | undefined {
    const under = document.elementsFromPoint(clientX, clientY);
    return this.all.find(({ root }) => under.includes(root));
  }

  /** Shows where a series would go. */
  markTarget(target: ViewerPane | undefined): void {
    this.shown.forEach((pane) => setAttribute(pane.root, "data-target", pane === target));
  }

  /** A double click on a mark opens it, and while one draws it ends the line. */
  private maximise(event: MouseEvent): void {
    const { store } = this.house;
    const isPicture = event.target instanceof Element && event.target.closest(".picture") !== null;
    if (isPicture && !event.defaultPrevented && isPlainTool(store.state.tool) && store.state.tool !== "curve") {
      store.change(toggleMaximised());
    }
  }

  private add(id: string): ViewerPane {
    const pane = new ViewerPane(id, this.house);
    this.shown.set(id, pane);
    this.root.append(pane.root);
    this.makers.forEach((maker) => maker(pane));
    pane.root.addEventListener("dblclick", (event) => this.maximise(event));
    return pane;
  }
}
