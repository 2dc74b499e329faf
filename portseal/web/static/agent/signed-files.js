// @ts-check
/** What a job made, as files to keep: one, or all of them in a ZIP file with a list. */

import { SUFFIXES } from "/agent/portseal-signing.js";
import { different, zipOf } from "./zip.js";

/** @typedef {import("/agent/portseal-signing.js").JobItem} JobItem */

/** So that spreadsheets read the list as UTF-8. */
const BYTE_ORDER_MARK = "\ufeff";

/**
 * The name of an item's signature file.
 * @param {JobItem} item
 * @param {string} container
 */
export function fileName({ documents, format, name }, container) {
  return (documents.length > 1 ? container : name) + (SUFFIXES[format] ?? ".signed");
}

/** @param {JobItem} item @returns {Uint8Array} */
export function signatureOf({ receipt }) {
  return Uint8Array.from(atob(receipt?.signature), (each) => each.charCodeAt(0));
}

/**
 * Where anybody reads the verdict.
 * @param {JobItem} item
 */
export function reportOf({ receipt }) {
  return new URL(`/verify/signatures/${receipt?.id}`, location.href).href;
}

/**
 * Every signature, the document beside each that does not hold it, and the list.
 * @param {JobItem[]} items that are done
 * @param {string} container what a container of several is called
 * @param {{list: string, headings: string[]}} words the list's name, and those of its columns
 * @returns {Blob}
 */
export function zipOfSigned(items, container, { list, headings }) {
  const files = items.flatMap((item) => {
    const signed = { name: fileName(item, container), content: signatureOf(item) };
    if (item.format !== "CAdES") return [signed];
    return [signed, { name: item.name ?? "", content: item.documents[0].document }];
  });
  const names = different(files.map(({ name }) => name));
  const rows = items.map((item) => [
    item.documents.map(({ name }) => name ?? "").join("; "),
    item.format,
    item.receipt?.id,
    item.receipt?.indication,
    reportOf(item),
  ]);
  const text = [headings, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  const content = new TextEncoder().encode(`${BYTE_ORDER_MARK}${text}\r\n`);
  return zipOf([
    { name: list, content },
    ...files.map((file, place) => ({ name: names[place], content: file.content })),
  ]);
}

/**
 * As RFC 4180 quotes it; what a spreadsheet would take for a formula is told to be text.
 * @param {string} text
 */
function cell(text) {
  return `"${text.replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
}
