/**
 * "Send to…", in the worklist's preview and in the viewer: a menu of archives that the server draws when it
 * opens, and how far each sending is while it is open.
 */

const LOOK_MS = 1_200;
const OPEN = ["queued", "running", "committing", "paused"];

/** Wires every such menu of the page, also one that comes later. */
export function wireSendTo(): void {
  document.addEventListener("toggle", (event) => void opened(event.target), true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form instanceof HTMLFormElement && form.closest("details[data-send]") !== null) {
      event.preventDefault();
      void send(form);
    }
  });
}

/** Opens or closes the page's menu. */
export function toggleSendTo(): void {
  const menu = document.querySelector<HTMLDetailsElement>("details[data-send]");
  if (menu !== null) {
    menu.open = !menu.open;
    menu.querySelector("summary")?.focus();
  }
}

async function opened(target: EventTarget | null): Promise<void> {
  if (!(target instanceof HTMLDetailsElement) || target.dataset["send"] === undefined || !target.open) {
    return;
  }
  const box = target.querySelector<HTMLElement>(".send-box");
  if (box !== null) {
    await fill(box, fetch(target.dataset["send"], { credentials: "same-origin", headers: { "HX-Request": "true" } }));
    void follow(target);
  }
}

async function send(form: HTMLFormElement): Promise<void> {
  const place = form.parentElement?.querySelector<HTMLElement>(".send-way");
  const menu = form.closest<HTMLDetailsElement>("details[data-send]");
  const button = form.querySelector("button");
  if (!place || menu === null || button === null) {
    return;
  }
  button.disabled = true;
  const body = new FormData(form);
  await fill(place, fetch(form.action, { method: "POST", body, credentials: "same-origin", headers: { "HX-Request": "true" } }));
  button.disabled = false;
  void follow(menu);
}

async function fill(place: HTMLElement, asked: Promise<Response>): Promise<void> {
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await asked;
    if (!answer.ok || answer.redirected) {
      throw new Error(`${answer.status}`);
    }
    place.innerHTML = await answer.text();
  } catch {
    const line = document.createElement("p");
    line.className = "way-trouble";
    line.setAttribute("role", "alert");
    line.textContent = place.closest<HTMLElement>("details[data-send]")?.dataset["failed"] ?? "";
    place.replaceChildren(line);
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Looks again, calmly, while something moves and the menu is open. */
async function follow(menu: HTMLDetailsElement): Promise<void> {
  if (menu.dataset["follows"] !== undefined) {
    return;
  }
  menu.dataset["follows"] = "";
  try {
    for (;;) {
      await new Promise((resolve) => window.setTimeout(resolve, LOOK_MS));
      const moving = [...menu.querySelectorAll<HTMLElement>("[data-way]")].filter((one) => OPEN.includes(one.dataset["status"] ?? ""));
      if (moving.length === 0 || !menu.open || !menu.isConnected) {
        return;
      }
      const query = new URLSearchParams(moving.map((one) => ["row", one.dataset["way"] ?? ""]));
      query.set("short", "1");
      const answer = await fetch(`${menu.dataset["rows"] ?? ""}?${query.toString()}`, { credentials: "same-origin" });
      if (answer.ok && !answer.redirected) {
        draw(moving, await answer.text());
      }
    }
  } catch {
    // The page of transfers shows it.
  } finally {
    delete menu.dataset["follows"];
  }
}

function draw(moving: readonly HTMLElement[], html: string): void {
  const made = document.createElement("template");
  made.innerHTML = html;
  for (const fresh of made.content.querySelectorAll<HTMLElement>("[data-way]")) {
    for (const old of moving.filter((one) => one.dataset["way"] === fresh.dataset["way"])) {
      old.replaceWith(fresh.cloneNode(true));
    }
  }
}
