// @ts-check
/**
 * One signature of a job and its states, and how several make what the agent takes at once.
 *
 * @typedef {import("./portseal-agent.js").ToSign} ToSign
 *
 * @typedef {{document: Uint8Array, name?: string}} NamedDocument
 *
 * @typedef {"chosen" | "prepared" | "signed" | "done" | "refused" | "failed"} ItemState
 *   refused: by the service, and prepared anew when tried again; failed: signed already, and
 *   completed without a PIN when tried again
 */

import { toBase64 } from "./portseal-service.js";

/** What an agent takes after one question. */
const MOST_ITEMS = 1000;
export const MOST_CHARACTERS = 60 * 1024 * 1024;

/** One signature of a job: over one document, or over several in one container. */
export class JobItem {
  /** @type {ItemState} */ state = "chosen";
  /**
   * Why it was refused or failed.
   * @type {any}
   */
  error = null;
  /**
   * The service's answer to `prepare`.
   * @type {Record<string, any> | null}
   */
  prepared = null;
  /** @type {string | null} */ value = null;
  /**
   * The service's: id, signature, indication.
   * @type {Record<string, any> | null}
   */
  receipt = null;
  preparedAt = 0;
  /** Identifier of the certificate that it was prepared for. */
  preparedFor = "";

  /** @param {NamedDocument[]} documents @param {string} format */
  constructor(documents, format) {
    this.documents = documents;
    this.format = format;
  }

  get name() {
    return this.documents[0].name;
  }
}

/**
 * What the agent takes at once, in order.
 * @param {JobItem[]} items
 * @returns {JobItem[][]}
 */
export function bundles(items) {
  /** @type {JobItem[][]} */
  const parts = [];
  let characters = 0;
  for (const item of items) {
    const size = charactersOf(item.documents, item.prepared);
    const last = parts.at(-1);
    if (last === undefined || last.length === MOST_ITEMS || characters + size > MOST_CHARACTERS) {
      parts.push([item]);
      characters = size;
    } else {
      last.push(item);
      characters += size;
    }
  }
  return parts;
}

/**
 * About so many in the agent's request.
 * @param {NamedDocument[]} documents
 * @param {Record<string, any> | null} prepared
 */
export function charactersOf(documents, prepared) {
  const inBase64 = documents.reduce((sum, { document }) => sum + (document.length * 4) / 3, 0);
  return inBase64 + (prepared?.draft.length ?? 0) + (prepared?.to_be_signed.length ?? 0) + 1024;
}

/** @param {JobItem} item @returns {ToSign} */
export function toSign({ documents, format, prepared }) {
  const [first, ...others] = documents.map(({ document, name }) => ({
    document: toBase64(document),
    name,
  }));
  return {
    ...first,
    format,
    toBeSigned: prepared?.to_be_signed,
    draft: prepared?.draft,
    ...(others.length > 0 && { beside: others }),
  };
}
