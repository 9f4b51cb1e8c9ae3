/** The page that is printed: its button waits until every picture is there. */

const button = document.querySelector<HTMLButtonElement>("#print-now");
const pictures = [...document.querySelectorAll<HTMLImageElement>(".pictures img")];

async function printWhenComplete(): Promise<void> {
  await Promise.allSettled(pictures.map((picture) => picture.decode()));
  window.print();
}

button?.addEventListener("click", () => void printWhenComplete());
