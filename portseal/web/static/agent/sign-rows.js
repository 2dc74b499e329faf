// @ts-check
/** The rows of what will be signed: one an item of the job, in words of the page's language. */

import { fileName, reportOf, signatureOf } from "./signed-files.js";

/** @typedef {import("/agent/portseal-signing.js").JobItem} JobItem */

/** @type {Record<string, string>} */
const TONES = {
  chosen: "", prepared: "info", signed: "info", done: "good", refused: "bad", failed: "warn",
};

export class Rows {
  /** @type {Map<JobItem, HTMLElement>} */ #rows = new Map();
  #table;
  #template;
  #container;
  #remove;

  /**
   * @param {HTMLTableElement} table its words are data attributes
   * @param {HTMLTemplateElement} template of a row
   * @param {string} container what a container of several is called
   * @param {(item: JobItem) => void} remove
   */
  constructor(table, template, container, remove) {
    this.#table = table;
    this.#template = template;
    this.#container = container;
    this.#remove = remove;
  }

  /** @param {JobItem[]} items */
  show(items) {
    for (const link of this.#table.querySelectorAll("a[href^=blob]")) {
      URL.revokeObjectURL(/** @type {HTMLAnchorElement} */ (link).href);
    }
    this.#rows.clear();
    const body = /** @type {HTMLElement} */ (this.#table.tBodies[0]);
    body.replaceChildren(...items.map((item) => this.#made(item)));
  }

  /**
   * An item is in a new state.
   * @param {JobItem} item
   */
  update(item) {
    const row = this.#rows.get(item);
    if (row === undefined) return;
    const find = (/** @type {string} */ what) => /** @type {any} */ (row.querySelector(what));
    const state = find("[data-state]");
    state.textContent = this.#words(`word-${item.state}`);
    state.className = `badge ${TONES[item.state]}`;
    find("[data-kind]").textContent = this.kindOf(item);
    find("[data-remove]").hidden = !["chosen", "prepared", "refused"].includes(item.state);
    const why = find(".why");
    why.hidden = item.error === null;
    why.textContent = item.error === null ? "" : this.#told(item.error);
    if (item.state === "done") this.#offer(item, find);
  }

  /**
   * The kind of declaration, once the service has said so.
   * @param {JobItem} item
   */
  kindOf({ prepared }) {
    const kind = prepared?.declaration?.kind;
    return kind === undefined ? "" : (this.#words(`kind-${kind}`) ?? kind);
  }

  /** @param {JobItem} item */
  #made(item) {
    const row = /** @type {any} */ (this.#template.content.cloneNode(true)).firstElementChild;
    this.#rows.set(item, row);
    row.querySelector("[data-name]").textContent = item.documents.map(({ name }) => name).join(", ");
    row.querySelector("[data-format]").textContent = item.format;
    row.querySelector("[data-size]").textContent = sizeOf([item]);
    row.querySelector("[data-remove]").addEventListener("click", () => this.#remove(item));
    this.update(item);
    return row;
  }

  /** @param {JobItem} item @param {(what: string) => any} find */
  #offer(item, find) {
    find("[data-indication]").textContent = item.receipt?.indication;
    const file = find("[data-file]");
    file.href = URL.createObjectURL(new Blob([signatureOf(item)]));
    file.download = fileName(item, this.#container);
    find("[data-report]").href = reportOf(item);
    find("[data-got]").hidden = false;
  }

  /** @param {any} error */
  #told(error) {
    const code = error.code ?? "page.failed";
    const words = this.#words(`code-${code.replaceAll(".", "-")}`) ?? error.detail;
    return `${words} (${code})`;
  }

  /** @param {string} name */
  #words(name) {
    return this.#table.getAttribute(`data-${name}`);
  }
}

/**
 * Of all documents together, for a person.
 * @param {JobItem[]} items
 */
export function sizeOf(items) {
  const octets = items
    .flatMap((item) => item.documents)
    .reduce((sum, { document }) => sum + document.length, 0);
  /** @type {[number, string]} */
  const [unit, name] = octets < 1e6 ? [1e3, "kB"] : [1e6, "MB"];
  const digits = { maximumFractionDigits: 1 };
  return `${(octets / unit).toLocaleString(document.documentElement.lang, digits)} ${name}`;
}
