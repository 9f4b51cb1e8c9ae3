/**
 * Words on the page. English is the key; the page may bring a table for its language, made by the
 * server from the same catalogue as its templates. `{name}` is filled in.
 */

let catalogue: Readonly<Record<string, string>> = {};

export function useCatalogue(texts: Readonly<Record<string, string>>): void {
  catalogue = texts;
}

export function t(text: string, values: Readonly<Record<string, string | number>> = {}): string {
  const translated = catalogue[text] ?? text;
  return translated.replace(/\{(\w+)\}/g, (whole, name: string) => `${values[name] ?? whole}`);
}
