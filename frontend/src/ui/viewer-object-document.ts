/** An object that is no picture, to be read: text, tables, curves, pages. */

import type { Branch, Named, ObjectDocument } from "../core/stored-objects";
import { t } from "../core/text";
import { icon, make } from "./dom";

/** Opens an image that a document names. */
export type OpenNamed = (named: Named) => void;

export function documentOf(shown: ObjectDocument, open: OpenNamed): HTMLElement {
  const save = make("a", { class: "button", href: shown.fileUrl, download: "" }, icon("download"), t("Save the file"));
  return make(
    "article",
    { class: "object-document" },
    make("header", {}, make("p", { class: "object-kind" }, shown.name), make("h2", { dir: "auto" }, shown.title || shown.name)),
    ...shown.notes.map((note) => make("p", { class: "object-note", role: "note" }, icon("info"), note)),
    factsOf(shown),
    ...partsOf(shown),
    ...(shown.tree === null ? [] : shown.tree.children.map((branch) => branchOf(branch, open))),
    ...imagesOf(shown, open),
    ...curvesOf(shown),
    ...(shown.text === "" ? [] : [make("pre", { class: "object-text", dir: "auto" }, shown.text)]),
    ...pagesOf(shown),
    make("footer", {}, save),
  );
}

function factsOf({ facts }: ObjectDocument): HTMLElement {
  const rows = facts.map(({ name, value }) => make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, value)));
  return make("dl", { hidden: rows.length === 0 }, ...rows);
}

function partsOf({ parts }: ObjectDocument): HTMLElement[] {
  if (parts.length === 0) {
    return [];
  }
  const rows = parts.map(({ name, words, colour, count }) =>
    make("tr", {}, make("td", {}, swatch(colour), name), make("td", {}, words), make("td", { class: "number" }, `${count}`)),
  );
  const head = make("tr", {}, make("th", {}, t("Name")), make("th", {}, t("Kind")), make("th", { class: "number" }, t("Outlines")));
  return [make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))];
}

export function swatch(colour: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "object-swatch");
  svg.setAttribute("viewBox", "0 0 10 10");
  svg.setAttribute("aria-hidden", "true");
  const square = document.createElementNS(SVG, "rect");
  square.setAttribute("width", "10");
  square.setAttribute("height", "10");
  square.setAttribute("fill", colour);
  svg.append(square);
  return svg;
}

const SVG = "http://www.w3.org/2000/svg";

/** A heading with what is below it, or a line of name and value. */
function branchOf(branch: Branch, open: OpenNamed): HTMLElement {
  const images = branch.images.map((named) => namedButton(named, open));
  if (branch.children.length === 0) {
    return make("p", { class: "object-line" }, nameOf(branch), make("span", { class: "object-value", dir: "auto" }, branch.value), ...images);
  }
  const below = branch.children.map((child) => branchOf(child, open));
  const value = branch.value === "" ? [] : [make("span", { class: "object-value", dir: "auto" }, branch.value)];
  return make(
    "section",
    { class: "object-branch" },
    make("div", { class: "object-head" }, nameOf(branch), ...value, ...images),
    make("div", { class: "object-below" }, ...below),
  );
}

function nameOf({ name }: Branch): HTMLElement {
  return make("span", { class: "object-name", dir: "auto", hidden: name === "" }, name);
}

function namedButton(named: Named, open: OpenNamed): HTMLElement {
  if (named.instanceId === "") {
    return make("span", { class: "object-gone" }, t("An image that is not here"));
  }
  const button = make("button", { type: "button", class: "button object-image" }, icon("image"), named.words);
  button.addEventListener("click", () => open(named));
  return button;
}

function imagesOf({ images, kind }: ObjectDocument, open: OpenNamed): HTMLElement[] {
  if (images.length === 0 || kind === "report") {
    return [];
  }
  const rows = images.map((named) => make("li", {}, namedButton(named, open)));
  return [make("h3", {}, t("Images")), make("ul", { class: "object-images" }, ...rows)];
}

function curvesOf({ curves }: ObjectDocument): HTMLElement[] {
  return curves.map(({ label, url }) =>
    make("figure", {}, make("figcaption", {}, label), make("div", { class: "object-curves", tabindex: "0" }, make("img", { src: url, alt: label || t("Curves") }))),
  );
}

/** Pages as pictures: what a stranger's document holds runs nowhere. */
function pagesOf({ pages, documentUrl }: ObjectDocument): HTMLElement[] {
  if (documentUrl === "") {
    return [];
  }
  const shown = pages.map((url, at) =>
    make("img", { class: "object-sheet", src: url, loading: "lazy", alt: t("Page {number}", { number: at + 1 }) }),
  );
  const save = make("a", { class: "button", href: `${documentUrl}?save=1`, download: "" }, icon("download"), t("Save the document"));
  return [...shown, make("p", {}, save)];
}
