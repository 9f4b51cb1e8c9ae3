/** The layers of marks: shown or hidden, and in which colour. */

import type { Finding } from "../core/findings";
import { t } from "../core/text";
import type { FindingStore, Layer } from "../state/findings";
import { make } from "./dom";

interface LayerWays {
  readonly mayMark: boolean;
  readonly saveLayer: (layer: Layer) => void;
  readonly colourOf: (finding: Finding) => string;
}

const DEFAULT_COLOUR = "#ffd24a";

export class LayerRows {
  private readonly rows = make("div", { class: "layer-rows" });
  readonly root = make("details", { class: "layers" }, make("summary", {}, t("Layers")), this.rows);
  private signature = "";

  constructor(
    private readonly findings: FindingStore,
    private readonly ways: LayerWays,
  ) {}

  show(): void {
    const names = this.findings.layerNames().filter((name) => name !== "");
    this.root.hidden = names.length === 0;
    const layers = names.map((name) => this.findings.layer(name) ?? this.newLayer(name));
    const signature = JSON.stringify(layers);
    if (signature !== this.signature) {
      this.signature = signature;
      this.rows.replaceChildren(...layers.map((layer) => this.row(layer)));
    }
  }

  private row(layer: Layer): HTMLElement {
    const visible = make("input", { type: "checkbox", "aria-label": t("Show {name}", { name: layer.name }) });
    visible.checked = layer.isVisible;
    visible.addEventListener("change", () => this.change({ ...layer, isVisible: visible.checked }));
    const colour = make("input", { type: "color", value: layer.colour, "aria-label": t("Colour of {name}", { name: layer.name }) });
    colour.disabled = !this.ways.mayMark;
    colour.addEventListener("change", () => this.change({ ...layer, colour: colour.value }));
    return make("div", { class: "layer-row" }, visible, make("span", { dir: "auto" }, layer.name), colour);
  }

  /** On the screen at once; for everybody when the reader may write. */
  private change(layer: Layer): void {
    this.findings.putLayer(layer);
    if (this.ways.mayMark) {
      this.ways.saveLayer(layer);
    }
  }

  /** A layer that nobody has given a look: as its first mark is seen now. */
  private newLayer(name: string): Layer {
    const first = this.findings.findings().find(({ layer }) => layer === name);
    const colour = first === undefined ? DEFAULT_COLOUR : this.ways.colourOf(first);
    return { id: "", studyId: "", name, colour, isVisible: true, position: 0, version: 0 };
  }
}
