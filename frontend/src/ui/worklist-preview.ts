const FOLLOW_PAUSE_MS = 120;

/** The panel beside the list; it follows the chosen row while it is open. */
export class Preview {
  private timer = 0;
  private asked: AbortController | null = null;

  constructor(
    private readonly panel: HTMLElement,
    private readonly failed: string,
  ) {
    panel.addEventListener("click", (event) => {
      if (event.target instanceof Element && event.target.closest("[data-close-preview]")) {
        this.close();
      }
    });
    // A thumbnail that is not made yet leaves the icon behind it in sight.
    panel.addEventListener(
      "error",
      (event) => {
        if (event.target instanceof HTMLImageElement) {
          event.target.remove();
        }
      },
      true,
    );
  }

  get isOpen(): boolean {
    return !this.panel.hidden;
  }

  toggle(row: HTMLTableRowElement): void {
    if (this.isOpen) {
      this.close();
    } else {
      this.show(row);
    }
  }

  show(row: HTMLTableRowElement): void {
    if (!this.isOpen) {
      this.panel.hidden = false;
      void this.load(row);
    }
  }

  follow(row: HTMLTableRowElement): void {
    if (this.isOpen) {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.load(row), FOLLOW_PAUSE_MS);
    }
  }

  close(): void {
    this.asked?.abort();
    this.panel.hidden = true;
    this.panel.replaceChildren();
  }

  private async load(row: HTMLTableRowElement): Promise<void> {
    this.asked?.abort();
    const asked = new AbortController();
    this.asked = asked;
    this.panel.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(row.dataset["preview"] ?? "", {
        headers: { "HX-Request": "true" },
        signal: asked.signal,
      });
      if (!response.ok) {
        throw new Error(String(response.status));
      }
      this.panel.innerHTML = await response.text();
      this.panel.scrollTop = 0;
    } catch {
      if (!asked.signal.aborted) {
        const text = document.createElement("p");
        text.className = "message error";
        text.textContent = this.failed;
        this.panel.replaceChildren(text);
      }
    } finally {
      this.panel.removeAttribute("aria-busy");
    }
  }
}
