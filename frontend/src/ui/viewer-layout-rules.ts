/** Which studies a layout is saved for, and for whom: what is on the page is offered, the reader chooses. */

import type { ImageFacts, Series, Study } from "../core/facts";
import { describeRules, type Wire } from "../core/saved-layout";
import { t } from "../core/text";
import { make, setText } from "./dom";

/** A facility for which the person may save. */
export interface Keeper {
  readonly code: string;
  readonly name: string;
}

/** What the rules may speak of. */
export interface Subject {
  readonly series: Series;
  readonly facts: ImageFacts | undefined;
  readonly study: Study;
  readonly priors: number;
}

type Rule = "body_part" | "laterality" | "view" | "priors";
const LONGEST = 64;

export class LayoutRules {
  private readonly rows: ReadonlyMap<Rule, { readonly root: HTMLElement; readonly box: HTMLInputElement; readonly value: HTMLElement }>;
  private readonly words = make("input", { class: "entry", maxlength: LONGEST, "aria-label": t("Words of the study's description") });
  private readonly whom = make("select", { class: "entry", "aria-label": t("Saved for") });
  readonly root: HTMLElement;
  private subject: Subject | null = null;
  private offered: Wire = {};

  constructor(keeper: Keeper | null, onChange: () => void) {
    const names: readonly (readonly [Rule, string])[] = [
      ["body_part", t("Body part")],
      ["laterality", t("Side")],
      ["view", t("View")],
      ["priors", t("With a prior")],
    ];
    this.rows = new Map(names.map(([rule, name]) => [rule, ruleRow(name, onChange)]));
    this.whom.append(make("option", { value: "" }, t("Me alone")));
    if (keeper !== null) {
      this.whom.append(make("option", { value: keeper.code }, keeper.name));
    }
    this.words.addEventListener("input", onChange);
    const words = make("label", { class: "layout-rule" }, make("span", {}, t("Description has")), this.words);
    const whom = make("label", { class: "layout-rule", hidden: keeper === null }, make("span", {}, t("Saved for")), this.whom);
    this.root = make("details", { class: "layout-rules" }, make("summary", {}, t("Which studies")), ...[...this.rows.values()].map(({ root }) => root), words, whom);
  }

  /** Whose layout it is to be: a facility's code, empty for the person's own. */
  get facility(): string {
    return this.whom.value;
  }

  /** Offers what the page shows; the body part and a prior that is there are taken unless the reader says otherwise. */
  open(subject: Subject | null): void {
    this.subject = subject;
    this.offered = subject === null ? {} : offer(subject);
    for (const [rule, { root, box, value }] of this.rows) {
      const told = this.offered[rule];
      root.hidden = told === undefined;
      box.checked = told !== undefined && (rule === "body_part" || rule === "priors");
      setText(value, rule === "priors" ? "" : `${told ?? ""}`);
    }
    this.words.value = "";
    this.words.placeholder = subject?.study.studyDescription ?? "";
    this.whom.value = "";
  }

  rules(): Wire {
    const { subject } = this;
    if (subject === null) {
      return {};
    }
    const rules: Wire = { modality: subject.series.modality };
    for (const [rule, { box }] of this.rows) {
      const told = this.offered[rule];
      if (told !== undefined && box.checked) {
        rules[rule] = told;
      }
    }
    const words = this.words.value.trim();
    return words === "" ? rules : { ...rules, description: words };
  }
}

/** Rules in a few words: `MG L CC`, `CT CHEST "low dose"`. */
export function kindOf(rules: Wire): string {
  const parts = [rules["modality"], rules["body_part"], rules["laterality"], rules["view"]].filter((part) => part !== undefined);
  const described = rules["description"] === undefined ? parts : [...parts, `“${rules["description"] as string}”`];
  const kind = described.join(" ");
  return rules["priors"] === undefined ? kind : t("{kind} with a prior", { kind });
}

function offer({ series, facts, priors }: Subject): Wire {
  const laterality = facts?.laterality || series.laterality;
  const view = facts?.viewPosition ?? "";
  return { ...describeRules(series, priors), ...(laterality === "" ? {} : { laterality }), ...(view === "" ? {} : { view: view.slice(0, 16) }) };
}

function ruleRow(name: string, onChange: () => void): { root: HTMLElement; box: HTMLInputElement; value: HTMLElement } {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", onChange);
  const value = make("bdi");
  return { root: make("label", { class: "layout-rule" }, box, make("span", {}, name), value), box, value };
}
