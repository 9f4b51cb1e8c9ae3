/** Asks in words for what a drawing cannot say: texts, labels, vertebrae, true lengths. */

import { toCanvas } from "../core/finding-hit";
import { isScalable } from "../core/finding-plane";
import { kindName } from "../core/finding-text";
import { nextVertebra, SPINE, SPINE_LAYER, type Finding } from "../core/findings";
import { t } from "../core/text";
import { canvasFromImage } from "../core/view";
import { extentOf } from "../render/viewport";
import { activeSeries } from "../state/changes";
import type { FindingStore } from "../state/findings";
import type { Asking } from "../tools/marking";
import type { Instrument } from "../tools/tool";
import { make } from "./dom";

interface Question {
  readonly title: string;
  readonly value: string;
  readonly kind: "text" | "millimetres" | "vertebra";
  readonly isNeeded: boolean;
}

const LONGEST_TEXT = 200;
const REGION_STARTS: readonly (readonly [string, string])[] = [
  ["CSPINE", "C2"],
  ["TSPINE", "T1"],
  ["LSPINE", "L1"],
];
const MARGIN_PX = 8;

export class MarkEditor implements Asking {
  private readonly field = make("input", { class: "entry", type: "text", maxlength: LONGEST_TEXT, autocomplete: "off" });
  private readonly title = make("label", { for: "mark-words" });
  private readonly vertebrae = make("datalist", { id: "mark-vertebrae" }, ...SPINE.map((value) => make("option", { value })));
  readonly root = make(
    "form",
    { class: "mark-editor", hidden: true },
    this.title,
    make(
      "div",
      { class: "mark-editor-row" },
      this.field,
      make("button", { type: "submit", class: "button" }, t("Keep")),
    ),
    this.vertebrae,
  );
  private answer: ((words: string | null) => void) | null = null;
  private question: Question | null = null;

  constructor(
    private readonly instrument: Instrument,
    private readonly store: FindingStore,
    private readonly say: (words: string) => void,
  ) {
    this.field.id = "mark-words";
    this.root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.root.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") {
        this.close(null);
      }
    });
    this.root.addEventListener("focusout", (event) => {
      if (!(event.relatedTarget instanceof Node && this.root.contains(event.relatedTarget))) {
        this.leave();
      }
    });
  }

  get isOpen(): boolean {
    return this.answer !== null;
  }

  async complete(finding: Finding): Promise<Finding | null> {
    switch (finding.kind) {
      case "text":
        return this.withText(finding, { title: t("Text"), value: "", kind: "text", isNeeded: true });
      case "spine_label":
        return this.vertebra(finding);
      case "calibration":
        return this.calibration(finding);
      default:
        return finding;
    }
  }

  edit(finding: Finding): void {
    void this.reword(finding).then((next) => {
      if (next !== null) {
        this.store.change(next);
      }
    });
  }

  private async reword(finding: Finding): Promise<Finding | null> {
    if (finding.kind === "calibration") {
      return this.withLength(finding, `${finding.knownMm ?? ""}`);
    }
    if (finding.family === "annotation") {
      const isVertebra = finding.kind === "spine_label";
      const isNeeded = isVertebra || finding.kind === "text";
      return this.withText(finding, {
        title: kindName(finding.kind),
        value: finding.text,
        kind: isVertebra ? "vertebra" : "text",
        isNeeded,
      });
    }
    const label = await this.ask({ title: t("Label"), value: finding.label, kind: "text", isNeeded: false }, finding);
    return label === null ? null : { ...finding, label };
  }

  private async withText(finding: Finding, question: Question): Promise<Finding | null> {
    const text = await this.ask(question, finding);
    return text === null ? null : { ...finding, text };
  }

  /** The first one is asked for; from then on each click names the next, upwards when it lies higher. */
  private async vertebra(finding: Finding): Promise<Finding | null> {
    const there = this.store.findings().filter((one) => one.kind === "spine_label" && one.seriesId === finding.seriesId);
    const last = there.at(-1);
    const placed: Finding = { ...finding, layer: SPINE_LAYER };
    if (last === undefined) {
      const part = (activeSeries(this.instrument.store.state)?.bodyPartExamined ?? "").replace(/\W/g, "").toUpperCase();
      const value = REGION_STARTS.find(([name]) => part.includes(name))?.[1] ?? "C1";
      return this.withText(placed, { title: t("First vertebra"), value, kind: "vertebra", isNeeded: true });
    }
    const isAbove = (finding.points[0]?.[1] ?? 0) < (last.points[0]?.[1] ?? 0);
    return { ...placed, text: nextVertebra(last.text, isAbove ? -1 : 1) };
  }

  private calibration(finding: Finding): Promise<Finding | null> {
    const facts = this.instrument.viewport.shown?.facts;
    if (facts === undefined || !isScalable(facts)) {
      this.say(t("This image has millimetres of its own: it needs no calibration."));
      return Promise.resolve(null);
    }
    return this.withLength(finding, "");
  }

  private async withLength(finding: Finding, value: string): Promise<Finding | null> {
    const words = await this.ask({ title: t("True length in mm"), value, kind: "millimetres", isNeeded: true }, finding);
    const knownMm = words === null ? null : Number(words.replace(",", "."));
    return knownMm === null ? null : { ...finding, knownMm };
  }

  private ask(question: Question, finding: Finding): Promise<string | null> {
    this.close(null);
    this.question = question;
    this.title.textContent = question.title;
    this.field.value = question.value;
    this.field.inputMode = question.kind === "millimetres" ? "decimal" : "text";
    if (question.kind === "vertebra") {
      this.field.setAttribute("list", this.vertebrae.id);
    } else {
      this.field.removeAttribute("list");
    }
    this.root.hidden = false;
    this.place(finding);
    this.field.focus();
    this.field.select();
    return new Promise((resolve) => {
      this.answer = resolve;
    });
  }

  private submit(): void {
    const words = this.field.value.trim();
    const isRight = this.question === null || isAnswer(words, this.question);
    this.field.setAttribute("aria-invalid", `${!isRight}`);
    if (isRight) {
      this.close(words);
    }
  }

  /** Looking elsewhere keeps what can be kept. */
  private leave(): void {
    const words = this.field.value.trim();
    const { question } = this;
    const isWorth = question !== null && words !== question.value && isAnswer(words, question);
    this.close(isWorth ? words : null);
  }

  private close(words: string | null): void {
    const { answer } = this;
    if (answer !== null) {
      this.answer = null;
      this.root.hidden = true;
      this.instrument.viewport.canvas.closest<HTMLElement>(".picture")?.focus({ preventScroll: true });
      answer(words);
    }
  }

  /** Below the finding, within the page. */
  private place(finding: Finding): void {
    const { shown, size, canvas } = this.instrument.viewport;
    const box = canvas.getBoundingClientRect();
    const at = shown === null ? [0, 0] : lowest(finding, canvasFromImage(shown.view, extentOf(shown.facts), size));
    const own = this.root.getBoundingClientRect();
    const inside = (value: number, most: number): number => Math.max(MARGIN_PX, Math.min(value, most - MARGIN_PX));
    this.root.style.left = `${inside(box.left + (at[0] ?? 0) + 12, innerWidth - own.width)}px`;
    this.root.style.top = `${inside(box.top + (at[1] ?? 0) + 16, innerHeight - own.height)}px`;
  }
}

function isAnswer(words: string, { kind, isNeeded }: Question): boolean {
  if (kind === "millimetres") {
    const value = Number(words.replace(",", "."));
    return words !== "" && value >= 0.01 && value <= 10_000;
  }
  return !isNeeded || words !== "";
}

function lowest({ points }: Finding, matrix: ReturnType<typeof canvasFromImage>): readonly number[] {
  return points.map((point) => toCanvas(matrix, point)).reduce((one, other) => (other[1] > one[1] ? other : one));
}
