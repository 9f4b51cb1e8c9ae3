/** Small makers of elements. Text always goes in as text: what comes from DICOM is not trusted. */

type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    setAttribute(element, name, value);
  }
  element.append(...children);
  return element;
}

/** Changes an attribute only when it differs, so that nothing is styled again for nothing. */
export function setAttribute(element: Element, name: string, value: Attributes[string]): void {
  const next = value === null || value === undefined || value === false ? null : value === true ? "" : `${value}`;
  if (element.getAttribute(name) === next) {
    return;
  }
  if (next === null) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, next);
  }
}

/** Changes the text only when it differs, so that nothing is laid out again for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Whether the page is as narrow as viewer-narrow.css lays it out for phones. */
export function isPhone(): boolean {
  return matchMedia("(max-width: 600px)").matches;
}

const SVG = "http://www.w3.org/2000/svg";

/** A Lucide icon from the sprite beside the scripts. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", iconAddress(name));
  svg.append(use);
  return svg;
}

export function setIcon(svg: SVGSVGElement, name: string): void {
  const use = svg.firstElementChild;
  if (use?.getAttribute("href") !== iconAddress(name)) {
    use?.setAttribute("href", iconAddress(name));
  }
}

const scripts = import.meta.url;

function iconAddress(name: string): string {
  return `${new URL("../icons.svg", scripts).pathname}#${name}`;
}
