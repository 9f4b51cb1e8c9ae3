/** Other studies of the patient: listed below the series, put beside the study at a press. */

import type { HungPane, Prior } from "../core/hanging";
import { t } from "../core/text";
import { fetchHung } from "../io/hanging";
import { fetchSeries } from "../io/stack";
import { addSeries, counterpart, placeBeside, withoutPriors } from "../state/hanging";
import { seriesIn } from "../state/panes";
import type { Store } from "../state/store";
import { icon, make, setAttribute } from "./dom";

/** Protocols that hang every image by itself: a prior is hung by the same, not series by series. */
const BY_IMAGE = ["mammography", "two-views"];

export class PriorList {
  readonly root = make("section", { class: "priors", "aria-label": t("Other studies") });
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(
    private readonly store: Store,
    private readonly say: (words: string) => void,
  ) {
    const { priors } = store.state;
    this.root.hidden = priors.length === 0;
    this.root.append(make("h2", {}, t("Other studies")), make("ol", {}, ...priors.map((prior) => make("li", {}, this.makeButton(prior)))));
  }

  show(): void {
    const { series, panes } = this.store.state;
    this.root.hidden = !this.store.state.isStripOpen || this.buttons.size === 0;
    const shown = new Set(panes.map(({ seriesId }) => series.find(({ id }) => id === seriesId)?.studyId));
    this.buttons.forEach((button, id) => setAttribute(button, "aria-pressed", `${shown.has(id)}`));
  }

  /** The most fitting other study beside this one, or away again. */
  toggleBest(): void {
    const [best] = this.store.state.priors;
    if (this.store.state.beforePrior !== null) {
      this.store.change(withoutPriors());
    } else if (best === undefined) {
      this.say(t("This patient has no other study here."));
    } else {
      void this.open(best);
    }
  }

  private makeButton(prior: Prior): HTMLButtonElement {
    const { study, modalities } = prior;
    const name = study.studyDescription || t("No description");
    const button = make(
      "button",
      { type: "button", class: "prior-item", title: name, "aria-pressed": "false" },
      make("span", { class: "prior-head" }, make("strong", {}, dateWords(prior)), make("span", { class: "strip-modality" }, modalities.join(" "))),
      make("span", { class: "strip-name", dir: "auto" }, name),
    );
    if (prior.isLater) {
      button.prepend(icon("triangle-alert"));
    }
    button.addEventListener("click", () => {
      const isShown = button.getAttribute("aria-pressed") === "true" && this.store.state.beforePrior !== null;
      if (isShown) {
        this.store.change(withoutPriors());
      } else {
        void this.open(prior);
      }
    });
    this.buttons.set(study.id, button);
    return button;
  }

  private async open(prior: Prior): Promise<void> {
    try {
      const theirs = await fetchSeries(prior.seriesUrl);
      this.store.change(addSeries(theirs));
      const hung = BY_IMAGE.includes(this.store.state.hungBy) ? (await fetchHung(prior.hangUrl, "standard")).hung : null;
      this.store.change((state) => {
        const own = state.beforePrior === null ? state.panes : state.panes.filter(({ id }) => state.beforePrior?.panes.includes(id));
        const beside = own.map((pane, place): HungPane => {
          const series = seriesIn(state, pane);
          const found = series === undefined ? undefined : counterpart(series, theirs);
          return hung?.panes[place] ?? { seriesId: found?.id ?? "", instanceId: "", frame: 0, hang: pane.hang, window: null };
        });
        const next = placeBeside(beside)(state);
        if (next === state) {
          this.say(t("There is no room beside: choose a smaller layout first."));
        }
        return next;
      });
    } catch {
      this.say(t("The other study could not be loaded."));
    }
  }
}

export function dateWords({ study, isLater }: Prior): string {
  const date = study.studyDate || t("No date");
  return isLater ? t("LATER {date}", { date }) : t("PRIOR {date}", { date });
}
