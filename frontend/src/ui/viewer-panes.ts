/** The panes on the page, made and taken away as the state has them, in a grid. */

import { activePane } from "../state/panes";
import { make } from "./dom";
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
    const { panes, layout } = this.house.store.state;
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
    });
    this.root.style.setProperty("--rows", `${layout.rows}`);
    this.root.style.setProperty("--columns", `${layout.columns}`);
    this.root.classList.toggle("is-many", panes.length > 1);
    this.active.takePrecedence();
    this.shown.forEach((pane) => pane.follow());
    this.house.traffic.pump();
  }

  draw(): void {
    this.shown.forEach((pane) => pane.draw());
  }

  private add(id: string): ViewerPane {
    const pane = new ViewerPane(id, this.house);
    this.shown.set(id, pane);
    this.root.append(pane.root);
    this.makers.forEach((maker) => maker(pane));
    return pane;
  }
}
