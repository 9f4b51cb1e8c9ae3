/** The scale bar: a round length in millimetres that fits its room. */

export interface ScaleBar {
  readonly lengthMm: number;
  readonly lengthPx: number;
}

const ROUND = [1, 2, 5];

export function scaleBar(pxPerMm: number, roomPx: number): ScaleBar | null {
  if (!(pxPerMm > 0) || !(roomPx > 0)) {
    return null;
  }
  const mostMm = roomPx / pxPerMm;
  const decade = 10 ** Math.floor(Math.log10(mostMm));
  const fits = ROUND.map((step) => step * decade).filter((length) => length <= mostMm);
  const lengthMm = fits[fits.length - 1] ?? decade;
  return { lengthMm, lengthPx: lengthMm * pxPerMm };
}

export function scaleLabel(lengthMm: number): string {
  return lengthMm >= 10 ? `${lengthMm / 10} cm` : `${lengthMm} mm`;
}
