// @ts-check
/** Which format a file is signed in, and what the signed file's name ends with. */

/**
 * The usual format of a file, by what it is: signed inside PDF and XML, JSON as JAdES, anything
 * else with its signature in one container.
 * @param {Uint8Array} document
 * @returns {"PAdES" | "XAdES" | "JAdES" | "ASiC-S"}
 */
export function usualFormat(document) {
  if (fits(document, "PAdES")) return "PAdES";
  if (fits(document, "XAdES")) return "XAdES";
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(document));
    return value !== null && typeof value === "object" ? "JAdES" : "ASiC-S";
  } catch {
    return "ASiC-S";
  }
}

/**
 * Whether a document can be signed in this format at all.
 * @param {Uint8Array} document
 * @param {string} format
 */
export function fits(document, format) {
  const head = new TextDecoder("latin1").decode(document.subarray(0, 1024));
  if (format === "PAdES") return head.startsWith("%PDF-");
  return format !== "XAdES" || /^(\xef\xbb\xbf)?\s*</.test(head);
}

/**
 * What a signature file's name ends with.
 * @type {Record<string, string>}
 */
export const SUFFIXES = {
  CAdES: ".p7s",
  XAdES: ".xades.xml",
  PAdES: ".signed.pdf",
  JAdES: ".jades.json",
  "ASiC-S": ".asics",
  "ASiC-E": ".asice",
};
