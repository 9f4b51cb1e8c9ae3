/** The banner above the page follows the pixels: it is always about the study of the active pane. */

import type { Prior } from "../core/hanging";
import type { Study } from "../core/facts";
import { t } from "../core/text";
import { activePane } from "../state/panes";
import { priorIn, studyIn } from "../state/hanging";
import type { Store, ViewerState } from "../state/store";
import { make, setText } from "./dom";
import { dateWords } from "./viewer-priors";

export class Banner {
  private readonly first: readonly Node[];
  private readonly facts: HTMLElement | null;
  private shown: string;

  constructor(
    private readonly store: Store,
    private readonly root: HTMLElement | null,
  ) {
    this.facts = root?.querySelector<HTMLElement>(".banner-facts") ?? null;
    this.first = [...(this.facts?.childNodes ?? [])];
    this.shown = store.state.study.id;
  }

  show(): void {
    const { state } = this.store;
    const study = studyIn(state, activePane(state));
    if (study.id === this.shown || this.facts === null) {
      return;
    }
    this.shown = study.id;
    const isOwn = study.id === state.study.id;
    this.root?.classList.toggle("is-prior", !isOwn);
    this.facts.replaceChildren(...(isOwn ? this.first : factsOf(study, priorNow(state))));
  }
}

function priorNow(state: ViewerState): Prior | undefined {
  return priorIn(state, activePane(state));
}

function factsOf(study: Study, prior: Prior | undefined): HTMLElement[] {
  const fact = (name: string, value: string, kind: string | null = null): HTMLElement => {
    const words = make("bdi");
    setText(words, value);
    return make("div", { class: kind }, make("dt", {}, name), make("dd", {}, words));
  };
  return [
    fact(t("Patient"), study.patientName || t("No name"), "banner-name"),
    fact(t("Patient ID"), study.patientId || t("None")),
    fact(t("Born"), study.patientBirthDate || t("Unknown")),
    fact(t("Sex"), study.patientSex || t("Unknown")),
    fact(t("Study"), study.studyDescription || t("No description"), "banner-study"),
    fact(t("Date"), [prior === undefined ? study.studyDate : dateWords(prior), study.studyTime.slice(0, 5)].join(" ").trim(), "banner-prior"),
    fact(t("Accession"), study.accessionNumber || t("None")),
    fact(t("Facility"), study.facility),
  ];
}
